"""What can go wrong here."""

from __future__ import annotations


class BenchError(Exception):
    """Nothing can be measured at all, or not further."""


class TracerFailed(BenchError):
    """One tracer didn't do what it is measured at; the others go on."""
