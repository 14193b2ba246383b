"""Listeners: each handles one interaction, calls one action and answers."""
