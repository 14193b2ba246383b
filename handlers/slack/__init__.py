"""Slack's API: users, user groups, rate limits, errors, response_url."""
