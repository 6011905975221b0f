"""The one door to events' formats: whoever wants one asks here, and needn't know what is parsed and what remembered.

To import pyparsing takes 30 ms, and to parse all formats of a kernel ten times that. So those of the whole
running kernel are kept on disk once they have been parsed, and used for as long as they hold.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tpkit.format_cache import FormatCache
from tpkit.model import EnumValue, EventFormat, TracepointId
from tpkit.tracefs import Tracefs
from tpkit.version import __version__

if TYPE_CHECKING:
    from tpkit.btf import Btf

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SOURCES = ("format_parser.py", "model.py", "format_cache.py")


class Catalog:
    """The formats of a tree's events. cache: where those of the running kernel are kept; boot_id: the file's path."""

    def __init__(
        self, tree: Tracefs, cache: FormatCache | None = None, boot_id: Path = BOOT_ID, version: str = __version__
    ) -> None:
        self.tree = tree
        self._cache = None if tree.captured else cache
        self._boot_id = boot_id
        self._version = version
        self._ids: list[TracepointId] | None = None
        self._values: EnumValue | None = None

    @classmethod
    def of(cls, tree: Tracefs) -> Catalog:
        """With this user's cache, if the tree is the running kernel's."""
        return cls(tree, None if tree.captured else FormatCache.of_user())

    def ids(self) -> list[TracepointId]:
        """All tracepoints, sorted; read once. Raises TracefsUnreadable, TracefsEmpty."""
        if self._ids is None:
            self._ids = self.tree.event_ids()
        return self._ids

    def event(self, event: TracepointId) -> EventFormat:
        """The event's format. Raises EventNotFound, TracefsUnreadable, FormatError."""
        return self.events([event])[0]

    def events(self, events: Iterable[TracepointId]) -> list[EventFormat]:
        """Their formats, in the same order, from the cache where it holds them. Raises as ``event`` does.

        What has been parsed is kept for the next time.
        """
        wanted = list(events)
        state = self._state() if self._cache is not None else None
        if self._cache is None or state is None:
            return self._parsed(wanted)
        found = self._cache.load(state, wanted)
        if found is None:
            found = self._parsed(wanted)
            # An event may have come anew while its format was read.
            if self._state() == state:
                self._cache.add(state, found)
        return found

    def btf(self) -> Btf | None:
        """The BTF of the kernel whose tree this is; a copied one may have brought its own, as ``btf.vmlinux``.

        Raises BtfError.
        """
        from tpkit.btf import load_btf, load_kernel_btf

        return load_btf(self.tree.root / "btf.vmlinux") if self.tree.captured else load_kernel_btf()

    def enum_value(self, name: str) -> int | None:
        """What an enum of that kernel calls so, None where its BTF doesn't say; BTF is read for the first name."""
        if self._values is None:
            from tpkit.btf import BtfError, enum_values

            try:
                self._values = enum_values(self.btf())
            except BtfError:
                self._values = enum_values(None)
        return self._values(name)

    def _parsed(self, events: Sequence[TracepointId]) -> list[EventFormat]:
        from tpkit.format_parser import parse_event  # and with it pyparsing

        return [parse_event(self.tree.format_text(event), event) for event in events]

    def _state(self) -> str | None:
        """All that the formats depend on, as text: this boot, this tpkit, and each event's registration.

        The kernel numbers the folder of an event anew when the event is registered (``get_next_ino`` in
        ``fs/tracefs/inode.c``, and for eventfs in ``event_inode.c``, commit 834bf76add3e), be it a module's
        or one of ``dynamic_events``. None where the folders have no numbers of their own, as in Linux 6.7.
        """
        try:
            boot = self._boot_id.read_text().strip()
            folders = dict(self.tree.event_folders())
            code = [Path(__file__).with_name(name).stat() for name in _SOURCES]
        except OSError:
            return None
        if not boot or len(set(folders.values())) < len(folders):
            return None
        kernel = f"{boot} {os.uname().release} {os.uname().machine}"
        tpkit = f"{self._version} {[(each.st_mtime_ns, each.st_size) for each in code]}"
        return "\n".join([kernel, tpkit, *(f"{name} {folders[name]}" for name in sorted(folders))])
