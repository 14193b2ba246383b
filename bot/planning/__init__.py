"""The plan as text, as a request to the tenant, and as a preview."""
