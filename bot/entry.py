"""Start the command `aad-setup`: imports take a second, in which Ctrl-C may come."""

import sys


def main() -> None:
    """Run the command line."""
    try:
        from bot.__main__ import main as command_line

        command_line()
    except KeyboardInterrupt:
        sys.exit(130)  # a shell's exit code for a program that Ctrl-C has ended
