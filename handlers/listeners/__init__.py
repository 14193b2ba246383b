"""Listeners: each takes one payload from Slack, calls one action, answers."""
