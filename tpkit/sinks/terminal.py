"""Lines for a person at a terminal: as text, coloured, and never more than a person's terminal can take.

In each second at most 200 lines are shown, the first ones that came. Then a line that is written anew with each batch
tells how many there were: ``… 48,213 events in 1 s, shown 200 (all of them: -o FILE)``. An event of which
only this number was shown is *summarised*: the sink took it, so that in the ledger it is delivered and not lost, and
the person was told that it isn't on the screen. ``summarised`` counts such events, and the end repeats their number.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence

from tpkit.batch import Batch
from tpkit.decode.clock import Clock
from tpkit.decode.words import DEFAULT_WORDING, Marks, Wording
from tpkit.errors import SinkError
from tpkit.ledger import Cause, Ledger, Loss
from tpkit.model import TracepointId
from tpkit.sinks.lines import lines, write_lines
from tpkit.sinks.output import Output, ReaderGone
from tpkit.sinks.text import HEADER, PLAIN, Style, TextLines, loss_line

MOST = 200  # lines in a second
WINDOW = 1.0  # seconds

# ECMA-48's SGR, in the eight colours that each terminal has, so that its own palette decides.
_OFF = b"\x1b[0m"
COLOURED = Style(
    event=Marks(b"\x1b[1m", _OFF),
    string=Marks(b"\x1b[32m", _OFF),
    error=Marks(b"\x1b[31m", _OFF),
    note=Marks(b"\x1b[33m", _OFF),
)


def wants_colours(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a terminal's user does: NO_COLOR (no-color.org) isn't set, and the terminal isn't a dumb one."""
    return not environment.get("NO_COLOR") and environment.get("TERM", "dumb") != "dumb"


class TerminalSink:
    """Writes lines as TextSink does, in colours, and at most ``most`` in a second.

    coloured: what ``wants_colours`` says if None; now: a clock in seconds, for tests.
    """

    def __init__(
        self,
        output: Output,
        clock: Clock,
        *,
        header: bool = True,
        wording: Wording = DEFAULT_WORDING,
        coloured: bool | None = None,
        most: int = MOST,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._output = output
        self._header = header
        self._style = COLOURED if (wants_colours() if coloured is None else coloured) else PLAIN
        self._lines = TextLines(clock, wording, self._style)
        self._most = most
        self._now = now
        self._began = now()
        self._shown = self._came = 0  # in this second
        self._kept_back: dict[tuple[TracepointId, Cause], int] = {}
        self._status = ""  # what stands in the terminal's last line, without a line's end
        self.shown = self.summarised = 0

    def begin(self) -> None:
        """The header."""
        if self._header:
            self._output.write(HEADER.encode())

    def write(self, batch: Batch) -> None:
        """As many lines as this second has room for, and how many events it had."""
        self._enter_second()
        visible = batch[: max(0, self._most - self._shown)]
        self._show(visible)
        self._came += len(batch)
        self._shown += len(visible)
        self.shown += len(visible)
        if len(visible) < len(batch):
            self._tell(f"… {self._came:,} events in 1 s, shown {self._shown} (all of them: -o FILE)", len(visible))
            self.summarised += len(batch) - len(visible)

    def lost(self, losses: Sequence[Loss]) -> None:
        """A line where it happened; in a second that has no room any more, in its end."""
        self._enter_second()
        for loss in losses:
            key = (loss.event, loss.cause)
            self._kept_back[key] = self._kept_back.get(key, 0) + loss.count
        if self._shown < self._most:
            self._shown += len(losses)
            self._tell_losses()

    def end(self, ledger: Ledger) -> None:  # noqa: ARG002 - the protocol's
        """What wasn't shown."""
        self._end_second()
        if self.summarised:
            every = self.shown + self.summarised
            self._note(f"--- {every:,} events: {self.shown:,} shown, {self.summarised:,} only counted ---\n")

    def _show(self, batch: Batch) -> None:
        if len(batch):
            self._end_status()
            write_lines(self._output, lines(batch, self._lines))

    def _tell(self, status: str, written: int) -> None:
        """Writes the last line anew. written: how many of the events at hand have lines already."""
        try:
            width = os.get_terminal_size(self._output.descriptor).columns
        except OSError:
            width = 80
        status = status[: width - 1]
        try:
            self._output.write(f"\r{status:<{len(self._status)}}".encode())
        except (SinkError, ReaderGone) as error:
            error.written = written
            raise
        self._status = status

    def _enter_second(self) -> None:
        now = self._now()
        if now - self._began >= WINDOW:
            self._end_second()
            self._began, self._shown, self._came = now, 0, 0

    def _end_second(self) -> None:
        self._end_status()
        self._tell_losses()

    def _end_status(self) -> None:
        if self._status:
            self._output.write(b"\n")
            self._status = ""

    def _tell_losses(self) -> None:
        if self._kept_back:
            losses = [Loss(event, count, cause) for (event, cause), count in self._kept_back.items()]
            self._kept_back = {}
            self._end_status()
            self._note("".join(map(loss_line, losses)))

    def _note(self, text: str) -> None:
        marks = self._style.note
        whole = marks.before + text.removesuffix("\n").encode() + marks.behind + b"\n"
        self._output.write(whole)
