"""Where the program begins, and what becomes of errors.

Imports nothing of weight by itself: a Ctrl-C during the first 50 ms, most of which are imports, ends as
quietly as a later one.
"""

from __future__ import annotations

import sys

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def main() -> None:
    """Runs a command and exits with its status."""
    try:
        _run()
    except KeyboardInterrupt:
        sys.stderr.write("tpkit: interrupted\n")
        sys.exit(INTERRUPTED)


def _run() -> None:
    from tpkit.cli.main import app
    from tpkit.cli.show import show_error
    from tpkit.errors import TpkitError

    try:
        app()
    except TpkitError as error:
        show_error(error)
        sys.exit(error.exit_status)
