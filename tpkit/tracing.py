"""A trace from begin to end: a session's events into a sink, and an account in which none is missing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from tpkit.batch import Batch
from tpkit.decode.columns import decodable
from tpkit.errors import SinkError
from tpkit.ledger import Ledger
from tpkit.runtime.session import Session
from tpkit.sinks.base import Sink
from tpkit.sinks.output import ReaderGone

Observe = Callable[[Session], None]


def run(session: Session, sink: Sink, *, observe: Observe | None = None, end_on_loss: bool = False) -> Ledger:
    """Everything that an entered session delivers goes to the sink, until the session ends or the sink fails.

    observe: called after each delivery, with the session, whose account is made when it is asked for; end_on_loss:
    whether the first loss ends it. Raises SinkError, after the events that weren't written have been counted as lost.
    """
    with suppress(ReaderGone):
        _pump(session, sink, observe, end_on_loss)
    ledger = session.ledger
    with suppress(ReaderGone):
        sink.end(ledger)
    return ledger


def _decodable(session: Session, batch: Batch) -> Batch:
    """What can be decoded of a batch; the rest, of which there should be none, is counted."""
    good = decodable(batch)
    if good.all():
        return batch
    session.reject(~good)
    return batch[good]


def _pump(session: Session, sink: Sink, observe: Observe | None, end_on_loss: bool) -> None:
    try:
        sink.begin()
        for delivery in session:
            if delivery.losses:
                sink.lost(delivery.losses)
            batch = _decodable(session, delivery.batch)
            if len(batch):
                sink.write(batch)
            if observe is not None:
                observe(session)
            is_news = delivery.losses or len(batch) < len(delivery.batch)
            if end_on_loss and is_news and session.ledger.is_lossy:
                session.stop()
    except BaseException as error:  # whatever ends it, what nobody got is counted
        session.failed(getattr(error, "written", 0) if isinstance(error, (SinkError, ReaderGone)) else 0)
        raise
