"""Events as the kernel wrote them: nothing is decoded, nothing is lost, and all can be read again later.

A file is a head (``record_head``), and then the bytes of a ring buffer as ``batch`` describes them. What isn't an
event has the flag that the kernel has for discarded records (``BPF_RINGBUF_DISCARD_BIT``) and is a JSON object, padded
with spaces: where events were lost, and at the end the ledger (both: ``account``). So each beginning of a file is a
file: what was written before a disk was full, or the trace was killed, can be read, only the ledger is missing.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Generator, Iterator, Mapping, Sequence
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpkit.batch import RECORD_HEADER, Batch, Offsets
from tpkit.decode.clock import Clock
from tpkit.decode.columns import decodable
from tpkit.errors import RecordingError, SinkError
from tpkit.ledger import Ledger, Loss
from tpkit.record import RecordLayout, align
from tpkit.sinks.account import ledger_object, loss_object
from tpkit.sinks.output import Output, ReaderGone
from tpkit.sinks.record_head import MAX_HEAD, MAX_RECORD, Head

NOTE = 0x4000_0000  # BPF_RINGBUF_DISCARD_BIT, uapi/linux/bpf.h
MAX_NOTE = 1 << 22  # bytes; a ledger of 2,000 events has 400 KiB
_CHUNK = 1 << 22  # bytes that are read at once: as many as a batch has


class RecordsSink:
    """Writes the records' own bytes. layouts: those of all batches to come."""

    def __init__(self, output: Output, clock: Clock, layouts: Sequence[RecordLayout]) -> None:
        self._output = output
        self._head = Head(tuple(layouts), clock.offset)

    def begin(self) -> None:
        """The head."""
        self._output.write(self._head.line())

    def write(self, batch: Batch) -> None:
        """The records, in the batch's order."""
        if not len(batch):
            return
        data, ends = _in_one_piece(batch)
        try:
            self._output.write(data.data)
        except (SinkError, ReaderGone) as error:
            error.written = int(np.searchsorted(ends, error.done, side="right"))
            whole = int(ends[error.written - 1]) if error.written else 0
            self._output.take_back(error.done - whole)
            raise

    def lost(self, losses: Sequence[Loss]) -> None:
        """A note for each event that lost some."""
        for loss in losses:
            self._output.write(_note(loss_object(loss)))

    def end(self, ledger: Ledger) -> None:
        """The account, as the last note."""
        self._output.write(_note({"ledger": ledger_object(ledger)}))


def _note(content: dict[str, Any]) -> bytes:
    text = json.dumps(content, allow_nan=False).encode("ascii")
    text += b" " * (-len(text) % 8)
    return (len(text) | NOTE).to_bytes(4, "little" if np.little_endian else "big") + bytes(4) + text


def _in_one_piece(batch: Batch) -> tuple[NDArray[np.uint8], Offsets]:
    """The batch's records with their headers and nothing else, and where each of them ends."""
    begins = batch.starts - RECORD_HEADER
    sizes = (batch.lengths + (RECORD_HEADER + 7)) & -8
    ends = np.cumsum(sizes)
    first = int(begins[0])
    if bool((begins[1:] == first + ends[:-1]).all()):
        return batch.data[first : first + int(ends[-1])], ends
    words = sizes // 8
    places = np.repeat((begins - (ends - sizes)) // 8, words) + np.arange(int(ends[-1]) // 8)
    return batch.data.view(np.uint64)[places].view(np.uint8), ends


# -------------------------------------------------------------------------------------- reading


def read(path: Path) -> Iterator[Batch]:
    """The events of a file, batch by batch. Raises RecordingError, for a file that ends too early at its end."""
    with Recording(path) as recording:
        yield from recording.batches()


class Recording:
    """A file of records: ``with Recording(path) as recording``.

    layouts, clock: as they were; losses: where events were lost, as far as was read; ledger: the account, None until
    all is read. Nothing in the file is believed: raises RecordingError for what isn't as it ought to be.
    """

    def __init__(self, path: Path) -> None:
        self._where = str(path)
        self._file = _opened(path)
        try:
            head = Head.of_line(self._file.readline(MAX_HEAD), self._where)
        except BaseException:
            self._file.close()
            raise
        self.layouts = head.layouts
        self.clock = Clock(head.clock_offset)
        self.losses: list[Mapping[str, Any]] = []
        self.ledger: Mapping[str, Any] | None = None

    def batches(self) -> Iterator[Batch]:
        """The events that weren't read yet."""
        rest = np.empty(0, dtype=np.uint8)
        while self.ledger is None:
            data = self._more(rest)
            if len(data) == len(rest):
                raise self._error("ends too early: the trace was broken off, or the file was cut")
            rest = yield from self._taken(data)
        if len(self._more(rest)):
            raise self._error("has something behind its end")

    def _more(self, rest: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What wasn't taken yet, and the file's next bytes."""
        data = np.empty((len(rest) + _CHUNK) // 8 + 1, dtype=np.uint64).view(np.uint8)
        data[: len(rest)] = rest
        return data[: len(rest) + self._file.readinto(data[len(rest) : len(rest) + _CHUNK].data)]

    def _taken(self, data: NDArray[np.uint8]) -> Generator[Batch, None, NDArray[np.uint8]]:
        """The whole records; what is left."""
        at = 0
        while self.ledger is None:
            batch = Batch.of_bytes(self.layouts, data[at:])
            if len(batch):
                if not decodable(batch).all():
                    raise self._error("has a record that isn't what its layout says")
                yield batch
            at += len(batch.data)
            note = self._take_note(data[at:])
            if not note:
                break
            at += note
        return data[at:]

    def _take_note(self, data: NDArray[np.uint8]) -> int:
        """Reads the note that begins here; how many bytes it takes, 0 if there isn't a whole one."""
        if len(data) < RECORD_HEADER:
            return 0
        head = int(data[:4].view(np.uint32)[0])
        length = head & ~NOTE
        is_note = head != length
        if length > (MAX_NOTE if is_note else MAX_RECORD):
            raise self._error("has a record of a size that none has")
        end = RECORD_HEADER + align(length, 8)
        if not is_note or end > len(data):
            return 0
        self._note(data[RECORD_HEADER : RECORD_HEADER + length].tobytes())
        return end

    def _note(self, text: bytes) -> None:
        try:
            note = json.loads(text)
        except (ValueError, RecursionError):
            note = None
        if isinstance(note, dict) and isinstance(note.get("ledger"), dict):
            self.ledger = note["ledger"]
        elif isinstance(note, dict) and "lost" in note:
            self.losses.append(note)
        else:
            raise self._error("has a note that can't be read")

    def _error(self, what: str) -> RecordingError:
        return RecordingError(what, where=self._where, remedy="what was read before is good")

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _opened(path: Path) -> BufferedReader:
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    try:
        file = os.fdopen(os.open(path, flags), "rb")
    except OSError as error:
        raise RecordingError(f"can't be opened: {error.strerror}", where=str(path)) from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise RecordingError("isn't a plain file", where=str(path))
    return file
