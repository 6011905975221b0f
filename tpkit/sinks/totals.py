"""The account of a trace in words, for people."""

from __future__ import annotations

from collections.abc import Iterator

from tpkit.ledger import Ledger


def account_lines(ledger: Ledger) -> Iterator[str]:
    """The totals on one line, and a line for each thing more that there is to say."""
    count = ledger.delivered
    lost = ", ".join(f"{number} lost: {cause}" for cause, number in ledger.lost.items()) or "none lost"
    yield f"{count} event{'' if count == 1 else 's'} in {ledger.seconds:.1f} s, {lost}"
    yield from _marks(ledger)
    if ledger.missed:
        yield (
            f"{ledger.missed} times a probe wasn't run, as its CPU was in another one: those events aren't counted,"
            " and calls may lack their entry or their return"
        )
    if ledger.unfollowed:
        yield f"{ledger.unfollowed} threads too many to be followed: their events aren't counted"
    if not ledger.is_balanced:
        yield "the account isn't balanced: an event was matched, and what became of it isn't known; please report this"


def _marks(ledger: Ledger) -> Iterator[str]:
    sums = {
        "kept back by a filter": sum(each.filtered for each in ledger.accounts),
        "strings or buffers unreadable": sum(each.faulted for each in ledger.accounts),
        "cut": sum(each.truncated for each in ledger.accounts),
        "calls that haven't returned": sum(each.unfinished for each in ledger.accounts),
    }
    said = ", ".join(f"{count} {what}" for what, count in sums.items() if count)
    if said:
        yield said
