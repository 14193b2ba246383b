"""The simulated tenant and workspace, called as the real services are."""
