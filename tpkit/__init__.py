"""tpkit: find, understand and trace Linux kernel tracepoints.

    from tpkit import TracepointId, Tracefs, parse_event

    event = TracepointId.parse("syscalls:sys_enter_unlinkat")
    print(parse_event(Tracefs.find().format_text(event), event).fields)

Names are imported when they are first used: the grammar takes 30 ms, numpy 150.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from tpkit.version import __version__

if TYPE_CHECKING:
    from tpkit.batch import Batch
    from tpkit.codegen.bcc import generate_bcc
    from tpkit.context import Access, access, accesses
    from tpkit.description import Description, describe_event
    from tpkit.errors import (
        AttachError,
        BccNotFound,
        CommandError,
        CompileError,
        EventNotFound,
        FilterError,
        FormatError,
        GenerateError,
        InvalidName,
        KernelUnsupported,
        LoadError,
        PrivilegeError,
        ProbeError,
        RecordingError,
        SinkError,
        ToolError,
        TpkitError,
        TracefsEmpty,
        TracefsError,
        TracefsNotMounted,
        TracefsUnreadable,
        UsageError,
    )
    from tpkit.filters.grammar import parse_filter
    from tpkit.filters.tree import Filter
    from tpkit.format_parser import parse_event, parse_format
    from tpkit.ledger import Account, Cause, Ledger, Loss
    from tpkit.model import CType, EventFormat, Field, TracepointId
    from tpkit.program import Call, Hook, ProbeSpec, Program
    from tpkit.record import RecordLayout
    from tpkit.runtime.bcc_runtime import BccRuntime
    from tpkit.runtime.replay import ReplayRuntime
    from tpkit.runtime.session import Delivery, Session
    from tpkit.tracefs import Tracefs

_HOMES = {
    "tpkit.codegen.bcc": ("generate_bcc",),
    "tpkit.context": ("Access", "access", "accesses"),
    "tpkit.description": ("Description", "describe_event"),
    "tpkit.errors": (
        "AttachError",
        "BccNotFound",
        "CommandError",
        "CompileError",
        "EventNotFound",
        "FilterError",
        "FormatError",
        "GenerateError",
        "InvalidName",
        "KernelUnsupported",
        "LoadError",
        "PrivilegeError",
        "ProbeError",
        "RecordingError",
        "SinkError",
        "ToolError",
        "TpkitError",
        "TracefsEmpty",
        "TracefsError",
        "TracefsNotMounted",
        "TracefsUnreadable",
        "UsageError",
    ),
    "tpkit.filters.grammar": ("parse_filter",),
    "tpkit.filters.tree": ("Filter",),
    "tpkit.format_parser": ("parse_event", "parse_format"),
    "tpkit.model": ("CType", "EventFormat", "Field", "TracepointId"),
    "tpkit.ledger": ("Account", "Cause", "Ledger", "Loss"),
    "tpkit.program": ("Call", "Hook", "ProbeSpec", "Program"),
    "tpkit.batch": ("Batch",),
    "tpkit.record": ("RecordLayout",),
    "tpkit.runtime.bcc_runtime": ("BccRuntime",),
    "tpkit.runtime.replay": ("ReplayRuntime",),
    "tpkit.runtime.session": ("Delivery", "Session"),
    "tpkit.tracefs": ("Tracefs",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Access",
    "Account",
    "AttachError",
    "Batch",
    "BccNotFound",
    "BccRuntime",
    "CType",
    "Call",
    "Cause",
    "CommandError",
    "CompileError",
    "Delivery",
    "Description",
    "EventFormat",
    "EventNotFound",
    "Field",
    "Filter",
    "FilterError",
    "FormatError",
    "GenerateError",
    "Hook",
    "InvalidName",
    "KernelUnsupported",
    "Ledger",
    "LoadError",
    "Loss",
    "PrivilegeError",
    "ProbeError",
    "ProbeSpec",
    "Program",
    "RecordLayout",
    "RecordingError",
    "ReplayRuntime",
    "Session",
    "SinkError",
    "ToolError",
    "TpkitError",
    "Tracefs",
    "TracefsEmpty",
    "TracefsError",
    "TracefsNotMounted",
    "TracefsUnreadable",
    "TracepointId",
    "UsageError",
    "__version__",
    "access",
    "accesses",
    "describe_event",
    "generate_bcc",
    "parse_event",
    "parse_filter",
    "parse_format",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'tpkit' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
