"""Children of the tests: forked from one server that has imported the bot once.

A process of its own begins so in a few milliseconds; a new interpreter takes more than a second.
"""

import multiprocessing

COMMANDS = [f"bot.cli.{name}" for name in ("checks", "planning", "restoring", "serving")]
births = multiprocessing.get_context("forkserver")
births.set_forkserver_preload(["bot.__main__", *COMMANDS, "tests.support.crash_process"])
