"""Losses and the ledger as JSON objects, for all sinks that write such."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tpkit.ledger import Account, Cause, Ledger, Loss


def loss_object(loss: Loss) -> dict[str, Any]:
    """``lost``: how many; ``event``: of which; ``cause``: why."""
    return {"lost": loss.count, "event": str(loss.event), "cause": str(loss.cause)}


def ledger_object(ledger: Ledger) -> dict[str, Any]:
    """``seconds``, ``balanced``, ``missed`` and ``unfollowed`` (``Ledger``), sums, and ``events``: an object for each.

    In sums and events: ``matched``, ``filtered``, ``delivered``, and ``lost``, an object of numbers by cause. In
    events also ``faulted``, ``truncated`` and ``unfinished``.
    """
    accounts = ledger.accounts
    return {
        "seconds": round(ledger.seconds, 6),
        "balanced": ledger.is_balanced,
        "missed": ledger.missed,
        "unfollowed": ledger.unfollowed,
        "matched": sum(each.matched for each in accounts),
        "filtered": sum(each.filtered for each in accounts),
        "delivered": ledger.delivered,
        "lost": _by_cause(ledger.lost),
        "events": [_account_object(each) for each in accounts],
    }


def _account_object(account: Account) -> dict[str, Any]:
    return {
        "event": str(account.event),
        "matched": account.matched,
        "filtered": account.filtered,
        "delivered": account.delivered,
        "lost": _by_cause(account.lost),
        "faulted": account.faulted,
        "truncated": account.truncated,
        "unfinished": account.unfinished,
    }


def _by_cause(lost: Mapping[Cause, int]) -> dict[str, int]:
    return {str(cause): count for cause, count in lost.items() if count}
