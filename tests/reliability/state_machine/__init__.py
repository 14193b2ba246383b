"""A state machine: any people click anything, at any time, while runs end, time passes, and the bot
restarts; beside it a model, written without a look at the code's table, that knows what must come.
"""
