"""Outside judges: clients that others wrote for the real services, unchanged, at the simulators.

What a simulator answers wrongly for them is a bug of the simulator.
"""
