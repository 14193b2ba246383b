"""Carry out the commands of `bot/__main__.py`, a module for each group of them."""
