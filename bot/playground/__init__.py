"""The playground: the bot between a simulated workspace and a simulated tenant.

Everything here is as strict as the real services or stricter: a simulator that is kinder than the
real thing is a bug. The bot has no branch for the playground; only addresses differ.
"""
