"""The simulated workspace, driven with the real Slack libraries."""
