"""Pending messages: which is shown next, to whom, and how."""
