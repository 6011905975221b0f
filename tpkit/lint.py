"""What tpkit can and can't read in other people's format files, a verdict a file.

``find`` walks the folders it is given, ``read`` hands out a file's text, ``lint`` says what is wrong
with it. Nothing here is trusted: below the path that the user named no symlink is followed, nothing
but a regular file is read, and none that is longer than a format file can be.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tpkit.errors import FormatError, InvalidName, TracefsUnreadable, UsageError
from tpkit.format_parser import locate_print_fmt, parse_format
from tpkit.model import MAX_FILE, TracepointId
from tpkit.print_fmt import Doubt, parse_print_fmt, unevaluable
from tpkit.tracefs import READ_REMEDY

FORMAT = "format"  # what the kernel calls each event's format file
MAX_DEPTH = 40  # of folders below a path; a tracefs with instances has 5
_UNKNOWN = "unknown"  # the category of a file whose folder can't be one
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # O_NONBLOCK: a fifo must not hold us


class Part(Enum):
    """Which part of a file failed."""

    FILE = "file"  # it can't be read at all
    FIELDS = "fields"
    PRINT_FMT = "print fmt"


@dataclass(frozen=True, slots=True)
class Failure:
    """What is wrong, and where.

    line and column count from 1 in the file, and are 0 where there is no place to show; excerpt: the
    line with a mark below it, or nothing.
    """

    path: str
    part: Part
    message: str
    line: int = 0
    column: int = 0
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class FormatFile:
    """A file to read: ``parts`` lead to it from ``root``, the user's word; none if the root is the file."""

    root: Path
    parts: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The path as the user would write it."""
        return str(self.root.joinpath(*self.parts))

    @property
    def event(self) -> TracepointId:
        """Category and name, as the folders have them; ``unknown`` where they can't be such."""
        *_, category, name, _ = ("", "", *Path(self.path).absolute().parts)
        return TracepointId(_token(category), _token(name))


@dataclass(frozen=True, slots=True)
class Findings:
    """What a walk found.

    failures: folders that can't be read; links: symlinks to folders or format files, not followed.
    """

    files: tuple[FormatFile, ...]
    failures: tuple[Failure, ...]
    links: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """A file's failures, and what in its print fmt no record can answer."""

    path: str
    failures: tuple[Failure, ...] = ()
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """Numbers of files by what became of them; ``reasons`` why parts can't be evaluated, by files."""

    files: int
    field_errors: int
    print_fmt_errors: int
    unreadable: int
    unevaluable: int
    reasons: dict[str, int]
    failures: tuple[Failure, ...]


# ----------------------------------------------------------------------------------- finding files


def find(paths: Sequence[Path]) -> Findings:
    """The files named ``format`` below each folder, sorted; a path that is no folder is taken as one.

    Raises UsageError for a path that doesn't exist or has no format file, TracefsUnreadable for a
    folder that we may not read.
    """
    files: list[FormatFile] = []
    walk = _Walk()
    for path in paths:
        found = list(walk.below(path)) if _is_folder(path) else [FormatFile(path)]
        if not found:
            unread = f", and {len(walk.failures)} folders can't be read" if walk.failures else ""
            remedy = "give a format file, or a folder that holds a copy of tracefs' events/"
            raise UsageError(f"no file named {FORMAT!r} below this folder{unread}", where=str(path), remedy=remedy)
        files += found
    return Findings(tuple(files), tuple(walk.failures), walk.links)


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except PermissionError:
        raise TracefsUnreadable("may not be read", where=str(path), remedy=READ_REMEDY) from None
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or "no such path"
        raise UsageError(what, where=str(path), remedy="give a format file, or a folder of them") from None


class _Walk:
    """Looks for format files, and keeps count of what it passes by."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []
        self.links = 0

    def below(self, root: Path) -> Iterator[FormatFile]:
        """The format files below a folder, whose own path may be a link: it is the user's word."""
        try:
            descriptor = os.open(root, _READ | os.O_DIRECTORY)
        except PermissionError:
            raise TracefsUnreadable("may not be read", where=str(root), remedy=READ_REMEDY) from None
        yield from self._folder(descriptor, FormatFile(root))

    def _folder(self, descriptor: int, here: FormatFile) -> Iterator[FormatFile]:
        """The files of an open folder, which it closes, and of those below it."""
        try:
            with os.scandir(descriptor) as entries:
                for entry in sorted(entries, key=lambda each: each.name):
                    yield from self._entry(descriptor, entry, FormatFile(here.root, (*here.parts, entry.name)))
        except OSError as error:
            self._fail(here, error.strerror)
        finally:
            os.close(descriptor)

    def _entry(self, folder: int, entry: os.DirEntry[str], here: FormatFile) -> Iterator[FormatFile]:
        if entry.is_symlink():
            self.links += entry.name == FORMAT or entry.is_dir()
        elif not entry.is_dir(follow_symlinks=False):
            if entry.name == FORMAT:
                yield here
        elif len(here.parts) > MAX_DEPTH:
            self._fail(here, f"folders nested deeper than {MAX_DEPTH} are not looked into")
        else:
            yield from self._enter(folder, entry.name, here)

    def _enter(self, folder: int, name: str, here: FormatFile) -> Iterator[FormatFile]:
        try:
            descriptor = os.open(name, _READ | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
        except OSError as error:
            self._fail(here, error.strerror)
        else:
            yield from self._folder(descriptor, here)

    def _fail(self, here: FormatFile, why: str | None) -> None:
        self.failures.append(Failure(here.path, Part.FILE, why or "can't be read"))


def _token(text: str) -> str:
    """A folder's name as a category's or an event's, or ``unknown``."""
    try:
        return TracepointId(text, text).name
    except InvalidName:
        return _UNKNOWN


# ----------------------------------------------------------------------------------- reading a file


def read(file: FormatFile) -> str:
    """A file's text; bytes that aren't UTF-8 as surrogates. Raises OSError with a sentence to show."""
    with ExitStack() as opened:
        descriptor = os.open(file.root, _READ)
        opened.callback(os.close, descriptor)
        for part in file.parts:
            descriptor = os.open(part, _READ | os.O_NOFOLLOW, dir_fd=descriptor)
            opened.callback(os.close, descriptor)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return _read_all(descriptor).decode("utf-8", errors="surrogateescape")


def _read_all(descriptor: int) -> bytes:
    # tracefs reports size 0, and hands out a page at a time.
    data = bytearray()
    while chunk := os.read(descriptor, 1 << 16):
        data += chunk
        if len(data) > MAX_FILE:
            raise OSError(errno.EFBIG, f"longer than {MAX_FILE} bytes, which no format file is")
    return bytes(data)


# ---------------------------------------------------------------------------------------- verdicts


def lint(file: FormatFile) -> Verdict:
    """Read a file, its fields and its print fmt; nothing that is in it raises."""
    try:
        text = read(file)
    except OSError as error:
        link = "is a symbolic link, which tpkit doesn't follow"
        what = link if error.errno == errno.ELOOP else error.strerror or "can't be read"
        return Verdict(file.path, (Failure(file.path, Part.FILE, what),))
    return lint_text(text, file.event, file.path)


def lint_text(text: str, event: TracepointId, path: str) -> Verdict:
    """The verdict on a format file's text; path: what failures shall name."""
    try:
        parsed = parse_format(text, event.category, event.name)
    except FormatError as error:
        return Verdict(path, (_failure(path, Part.FIELDS, error), *_print_fmt_failure(path, text)))
    except InvalidName as error:
        return Verdict(path, (Failure(path, Part.FIELDS, error.what, line=1, column=1),))
    failures = _print_fmt_failure(path, text)
    return Verdict(path, failures, () if failures else unevaluable(parsed))


def _print_fmt_failure(path: str, text: str) -> tuple[Failure, ...]:
    """What is wrong with the print fmt, if there is one, whatever the fields above it are like."""
    place = locate_print_fmt(text)
    if place is None:
        return ()
    try:
        parse_print_fmt(place.text)
    except FormatError as error:
        return (_failure(path, Part.PRINT_FMT, place.in_file(error)),)
    return ()


def _failure(path: str, part: Part, error: FormatError) -> Failure:
    return Failure(path, part, f"expected {error.expected}", error.line, error.column, error.excerpt())


def summarise(verdicts: Iterable[Verdict], found: Findings) -> Summary:
    """All verdicts in numbers, and the failures in their order, those of the walk first."""
    files = doubtful = 0
    failures = list(found.failures)
    reasons: Counter[str] = Counter()
    for verdict in verdicts:
        files += 1
        failures += verdict.failures
        doubtful += bool(verdict.doubts)
        reasons.update({doubt.reason for doubt in verdict.doubts})
    parts = Counter(failure.part for failure in failures)
    return Summary(
        files=files,
        field_errors=parts[Part.FIELDS],
        print_fmt_errors=parts[Part.PRINT_FMT],
        unreadable=parts[Part.FILE],
        unevaluable=doubtful,
        reasons=dict(sorted(reasons.items())),
        failures=tuple(failures),
    )


def lint_all(found: Findings, seen: Callable[[Verdict], None]) -> Summary:
    """Lint what a walk found; seen: is told each verdict as it falls."""

    def verdicts() -> Iterator[Verdict]:
        for file in found.files:
            verdict = lint(file)
            seen(verdict)
            yield verdict

    return summarise(verdicts(), found)
