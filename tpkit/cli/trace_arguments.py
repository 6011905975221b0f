"""What click can't tell: which --filter came behind which -e, and where a command of the user's own begins."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from typer import Context
from typer.core import TyperCommand

from tpkit.errors import UsageError

_FILTER = "--filter"
# An event or a filter, as click takes them: short options may stand together, and a value right behind.
_WITH_VALUE = re.compile(
    r"(?P<long>--event|--filter)(=(?P<value>.*))?|(?P<short>-[qv]*e)=?(?P<rest>.+)?", re.DOTALL
)
_KEY = "tpkit.command"


class TraceCommand(TyperCommand):
    """``trace``, whose arguments have an order that counts, and an end."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As click does, behind our own look at them. ctx: click's, of which typer has one of its own.

        Raises UsageError for a ``--`` with nothing behind it: a shell's empty variable mustn't make a trace of the
        whole machine of that of a command.
        """
        own, command = split_command(args)
        if command is not None and not any(command[:1]) and not ctx.resilient_parsing:
            raise UsageError("there is no command behind it", where="--", remedy="tpkit trace unlinkat -- rm /tmp/x")
        ctx.meta[_KEY] = command or []
        return super().parse_args(ctx, list(with_events(own)))


def command_of(context: Context) -> list[str]:
    """The command to be traced; empty where there is none."""
    found: list[str] = context.meta.get(_KEY, [])
    return found


def split_command(arguments: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """Arguments before ``--``, and the command behind it; None without a ``--``."""
    if "--" not in arguments:
        return list(arguments), None
    place = list(arguments).index("--")
    return list(arguments[:place]), list(arguments[place + 1 :])


def with_events(arguments: Sequence[str]) -> Iterator[str]:
    """``-e EVENT --filter EXPR`` with the event in the filter, ``EVENT: EXPR``, as perf understands that."""
    event: str | None = None
    rest = iter(arguments)
    for each in rest:
        found = _WITH_VALUE.fullmatch(each)
        if found is None:
            yield each
            continue
        option = found["long"] or found["short"]
        value = found["value"] if found["value"] is not None else found["rest"]
        if value is None:
            value = next(rest, None)
        yield option
        if value is None:  # click knows what to say
            return
        if option == _FILTER:
            yield value if event is None else f"{event}: {value}"
        else:
            event = value
            yield value
