"""Check the version of Python before any other import.

Older versions can read this file, and no other.
"""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - users of an older one are told so here
    found = sys.version.split()[0]
    sys.stderr.write("aad-setup needs Python 3.11 or newer. This is " + found + ".\n")
    raise SystemExit(2)

# slack_sdk asks for a home folder when it is imported, and a container's uid may have none.
if os.path.expanduser("~") == "~":
    os.environ["HOME"] = "/"
