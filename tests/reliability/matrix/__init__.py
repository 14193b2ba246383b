"""The matrix: every call of a registration meets every fault, through the whole bot."""
