"""Names for the shell's Tab key."""

from __future__ import annotations


def complete_event(incomplete: str) -> list[str]:
    """Events and system calls that begin with what was typed; nothing where names can't be read."""
    from tpkit.discover import call_of
    from tpkit.errors import TpkitError  # the shell waits for this
    from tpkit.tracefs import Tracefs

    try:
        events = Tracefs.find().event_ids()
    except TpkitError:
        return []
    calls = [call_of(event) for event in events if event.is_syscall_enter]
    names = [*map(str, events), *(event.name for event in events), *map(str, calls), *(call.name for call in calls)]
    return [name for name in names if name.startswith(incomplete)]
