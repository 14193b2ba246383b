"""Restore an older copy of the database, and compare it with the tenant."""
