"""A command under tpkit and strace at once, and how the two accounts compare.

    sudo python -m tests.strace make            run it
    python -m tests.strace --read FOLDER        compare accounts of an earlier run
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.strace import accounts
from tests.strace.compare import summary


def main() -> int:
    """Run or read, and print the comparison."""
    parser = argparse.ArgumentParser(prog="python -m tests.strace", description=__doc__)
    parser.add_argument("--read", type=Path, help="a folder with the accounts of an earlier run")
    parser.add_argument("--keep", type=Path, help="where to leave the accounts")
    parser.add_argument("--limit", type=int, default=40, help="how many places to show of each kind")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.read or options.keep or Path(temporary)
        if options.read is None:
            folder.mkdir(exist_ok=True)
            accounts.record(folder, options.command)
        found = accounts.read(folder)
    sys.stdout.write(f"{len(found.pairs)} calls of both, {len(found.missed)} of strace alone")
    sys.stdout.write(f" {dict(Counter(call.name for call in found.missed).most_common(12))}\n")
    sys.stdout.write(f"{summary(found.compared(), options.limit)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
