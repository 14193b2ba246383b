"""What is served at PORT, and the Slack transport behind it."""
