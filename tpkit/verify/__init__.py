"""Would the kernel take a program for every tracepoint? Generates, compiles and loads them, attaches none.

``select`` says which events are meant, a ``Loader`` tries programs, many events at a time, and
``verify`` makes a ``Report`` of it that names exactly the events that failed, and why.
"""

from tpkit.verify.loaders import BccLoader, LibbpfLoader, Loader, libbpf_loader
from tpkit.verify.report import Failure, Report, Selection, Skipped, Stage
from tpkit.verify.run import verify
from tpkit.verify.selection import select_events

__all__ = [
    "BccLoader",
    "Failure",
    "LibbpfLoader",
    "Loader",
    "Report",
    "Selection",
    "Skipped",
    "Stage",
    "libbpf_loader",
    "select_events",
    "verify",
]
