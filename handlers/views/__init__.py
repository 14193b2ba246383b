"""Views as pure functions: a registration in, Block Kit out. Ids live here alone."""
