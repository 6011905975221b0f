"""What BCC's compiler is told besides the source; it decides what comes out, and so is part of what is cached by."""

from __future__ import annotations

import mmap

# -nostdinc: never a header of this machine's, which may be another kernel's.
FLAGS = ("-nostdinc", f"-DTPKIT_PAGE_SIZE={mmap.PAGESIZE}")
