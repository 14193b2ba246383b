"""The HTTP server at PORT, and the Slack transport behind it."""
