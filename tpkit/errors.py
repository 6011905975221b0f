"""Every error that tpkit raises on purpose, on one page.

    TpkitError
    ├── UsageError               the request itself is wrong (exit status 2)
    │   ├── InvalidName          not a tracepoint's name
    │   └── FilterError          a filter that can't be read or doesn't fit the event; carries text and place
    ├── EventNotFound            no such tracepoint; carries the nearest names
    ├── FormatError              a format file that isn't one; carries line, column and the line
    ├── TracefsError             tracefs can't serve us
    │   ├── TracefsNotMounted
    │   ├── TracefsUnreadable
    │   └── TracefsEmpty
    ├── ToolError                an external program is missing or failed
    ├── GenerateError            no program can be made for this event
    ├── ProbeError               the kernel or BCC refused our program
    │   ├── BccNotFound          BCC is missing or doesn't fit
    │   ├── CompileError         carries the compiler's words
    │   ├── LoadError            carries the verifier's words
    │   ├── AttachError
    │   ├── PrivilegeError       names the missing capability
    │   └── KernelUnsupported    the kernel lacks a feature, or forbids it
    ├── CommandError             the command to be traced can't be run (exit status 126 or 127, as shells have it)
    ├── SinkError                the output can't be written; carries how many events are
    └── RecordingError           recorded events that can't be read

An error says what happened (``what``), where (``where``: a path, an event, an option) and what to do
next (``remedy``). ``details`` holds foreign words (a compiler's, the verifier's), which are shown
behind ours and never instead of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import combining, east_asian_width


class TpkitError(Exception):
    """Base of all errors that tpkit raises on purpose.

    what: one sentence without a full stop; where: a path, an event or an option; remedy: what the
    user can do next; details: another program's own words, possibly of many lines.
    """

    exit_status: int = 1

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        remedy: str | None = None,
        details: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy
        self.details = details

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head} ({self.remedy})" if self.remedy else head


class UsageError(TpkitError):
    """The request itself is wrong: nothing was tried."""

    exit_status = 2


class InvalidName(UsageError):
    """A string that can't be the name of a tracepoint."""


class FilterError(UsageError):
    """A filter that can't be read, or that doesn't fit an event.

    text: the filter; at, end: the first character that it is about and the one behind the last, from 0.
    """

    def __init__(self, what: str, *, text: str, at: int, end: int, remedy: str | None = None) -> None:
        self.text = text
        self.at = at
        self.end = end
        super().__init__(what, where="--filter", remedy=remedy, details=None)
        self.details = self.excerpt()

    def excerpt(self, width: int = 100) -> str:
        """The filter, cut to ``width`` characters around the place, with carets under it."""
        start = max(0, min(self.at - width // 2, len(self.text) - width))
        before, marked = _printable(self.text[start : self.at]), _printable(self.text[self.at : self.end][:width])
        behind = _printable(self.text[self.end : start + width])
        carets = "^" * max(1, _columns(marked))
        return f"{before}{marked}{behind}\n{' ' * _columns(before)}{carets}"


def _printable(text: str) -> str:
    """One character for each, so that what stands below it keeps its place."""
    return "".join(each if each.isprintable() else "?" for each in text)


def _columns(text: str) -> int:
    """How many columns of a terminal the text takes (UAX #11; combining marks take none)."""
    return sum(0 if combining(each) else 1 + (east_asian_width(each) in "WF") for each in text)


class EventNotFound(TpkitError):
    """No tracepoint has this name. ``suggestions``: the nearest ones, best first, possibly none.

    reason: why it isn't there, where that is known.
    """

    def __init__(
        self, wanted: str, suggestions: Sequence[str] = (), *, where: str | None = None, reason: str | None = None
    ) -> None:
        self.wanted = wanted
        self.suggestions = tuple(suggestions)
        remedy = f"did you mean {', '.join(self.suggestions)}?" if self.suggestions else "see 'tpkit list'"
        if reason:
            remedy = f"{reason}; {remedy}"
        super().__init__(f"no tracepoint matches {wanted!r}", where=where, remedy=remedy)


class FormatError(TpkitError):
    """A format file that can't be read as one.

    line and column count from 1; text is the line itself, without its end; expected says what would
    have been right there.
    """

    def __init__(self, expected: str, *, line: int, column: int, text: str, where: str | None = None) -> None:
        self.expected = expected
        self.line = line
        self.column = column
        self.text = text
        super().__init__(f"line {line}, column {column}: expected {expected}", where=where)
        self.details = self.excerpt()

    def excerpt(self, width: int = 100) -> str:
        """The line with a caret under the column, cut to ``width`` characters around it."""
        start = max(0, self.column - 1 - width // 2)
        shown = self.text[start : start + width].replace("\t", " ")
        return f"{self.line:5} | {shown}\n      | {' ' * (self.column - 1 - start)}^"

    def located(self, where: str) -> FormatError:
        """The same error, with the file that it was found in."""
        return FormatError(self.expected, line=self.line, column=self.column, text=self.text, where=where)


class TracefsError(TpkitError):
    """tracefs, or the captured tree in its place, can't serve us."""


class TracefsNotMounted(TracefsError):
    """No tracefs is mounted, or the given folder isn't one."""


class TracefsUnreadable(TracefsError):
    """tracefs is there, and we may not read it."""


class TracefsEmpty(TracefsError):
    """tracefs is there and has no events."""


class ToolError(TpkitError):
    """An external program (bpftrace) is missing or failed."""


class GenerateError(TpkitError):
    """No program can be generated for this event."""


class ProbeError(TpkitError):
    """BCC or the kernel refused our program."""


class BccNotFound(ProbeError):
    """BCC's Python package or its library is missing, or they don't fit each other."""


class CompileError(ProbeError):
    """BCC's compiler refused the generated program; ``details`` holds its words."""


class LoadError(ProbeError):
    """The kernel's verifier refused the program; ``details`` holds its words."""


class AttachError(ProbeError):
    """The program was accepted, and can't be attached to its tracepoint."""


class PrivilegeError(ProbeError):
    """The process lacks a capability; the message names it."""


class KernelUnsupported(ProbeError):
    """The running kernel lacks a feature that is needed, or forbids its use."""


class CommandError(TpkitError):
    """The command that was to be traced isn't there, or can't be run."""

    def __init__(self, what: str, *, where: str, exit_status: int = 1) -> None:
        super().__init__(what, where=where, remedy="is its name right, and may you run it?")
        self.exit_status = exit_status


class SinkError(TpkitError):
    """The output can't be written (no space, no permission, an existing file).

    written: how many of the events that were handed over then are wholly written; done: how many bytes.
    """

    written = 0
    done = 0


class RecordingError(TpkitError):
    """A file of recorded events that isn't one, was damaged, or ends too early."""
