"""Settings: read once from the environment, all problems reported at once."""
