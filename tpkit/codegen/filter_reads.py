"""Where a filter's function finds what it asks for: in an event's context, or in what is kept of a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from tpkit.codegen.columns import Source
from tpkit.codegen.context_struct import context_struct
from tpkit.codegen.packed import CallPlan, slot_of
from tpkit.codegen.probes import ProbePlan
from tpkit.codegen.reads import text_address, value_statement
from tpkit.model import EventFormat
from tpkit.record import COMM_SIZE, Capture, Column

# What helpers tell of the task (bpf-helpers(7)).
USER = "bpf_get_current_uid_gid()"
# Where a call keeps them while it lasts.
KEPT = {"pid": "pid", "tid": "tid", "uid": "_pad"}
_HELPERS = {"uid": USER, "cpu": "bpf_get_smp_processor_id()"}


class Reads(Protocol):
    """What a function gets (parameter, declaration), of which plan; event: whose fields they are.

    keeps_task: whether the task's numbers and name are in it.
    """

    parameter: str
    keeps_task: bool

    @property
    def plan(self) -> ProbePlan | CallPlan:
        """What the records are."""

    @property
    def event(self) -> EventFormat:
        """The event with the fields."""

    @property
    def declaration(self) -> str:
        """The parameter, as C declares it."""

    def task(self, name: str) -> str | None:
        """What says a number of the task (``uid``); None: the function is given it."""

    def value(self, column: Column, target: str) -> str:
        """The statement that reads a column's number into a variable."""

    def text(self, column: Column | None, name: str, value: str) -> tuple[str, ...]:
        """The statements that read a string into ``name->bytes`` and its length into ``name->length``.

        value: what holds the column's number; column None: the thread's name.
        """


class ContextReads:
    """An event's own context."""

    parameter = "ctx"
    keeps_task = False

    def __init__(self, plan: ProbePlan) -> None:
        self.plan = plan
        self.event = plan.event
        self._context = context_struct(plan.event)
        self._sources: Mapping[str, Source] = {source.column.label: source for source in plan.sources}

    @property
    def declaration(self) -> str:
        """See Reads."""
        return f"struct {self.plan.context_name} *ctx"

    def task(self, name: str) -> str | None:
        """See Reads."""
        return _HELPERS.get(name)

    def value(self, column: Column, target: str) -> str:
        """See Reads."""
        return value_statement(self._sources[column.label], self._context, target)

    def text(self, column: Column | None, name: str, value: str) -> tuple[str, ...]:
        """See Reads."""
        if column is None:
            return _comm(name)
        helper = "user" if column.capture is Capture.USER_STRING else "kernel"
        size, address = f"sizeof({name}->bytes)", text_address(self._sources[column.label], value)
        if column.capture is Capture.BYTES:
            size, address = f"{column.value.size + 1}", f"(char *)ctx + {column.field.offset}"
        return _read(name, helper, size, address)


class CallReads:
    """What is kept of a call, when it returns: its arguments and the result, and whose it was when it was entered.

    By then execve has given the thread another name, and setuid another user.
    """

    parameter = "call"
    keeps_task = True

    def __init__(self, plan: CallPlan) -> None:
        self.plan = plan
        self.event = plan.call.enter
        self._slots = {column.label: slot_of(column) for column in plan.layout.payloads}

    @property
    def declaration(self) -> str:
        """See Reads."""
        return f"struct {self.plan.call_name} *call"

    def task(self, name: str) -> str | None:
        """See Reads."""
        return f"call->record.header.{KEPT[name]}" if name in KEPT else _HELPERS.get(name)

    def value(self, column: Column, target: str) -> str:
        """See Reads."""
        return f"{target} = call->record.{column.value.name};"

    def text(self, column: Column | None, name: str, value: str) -> tuple[str, ...]:
        """See Reads. A string that isn't wholly there is read again."""
        if column is None:
            return _read(name, "kernel", str(COMM_SIZE), "call->record.header.comm")
        slot = self._slots[column.label]
        assert slot is not None  # a string is there at the entry
        size = f"call->record.{column.size.name if column.size else ''}"
        kept = _read(name, "kernel", f"sizeof(call->{slot.name})", f"call->{slot.name}")
        again = _read(name, "user", f"sizeof({name}->bytes)", f"(const char *){value}")
        return (
            f"if ({size} >= 0 && {size} < {slot.size}) {{",
            *(f"\t{line}" for line in kept),
            "} else {",
            *(f"\t{line}" for line in again),
            "}",
        )


def _read(name: str, helper: str, size: str, address: str) -> tuple[str, ...]:
    read = f"{name}->length = bpf_probe_read_{helper}_str({name}->bytes,", f"\t\t{size}, {address});"
    # Older kernels don't count the zero of an empty one: strncpy_from_user_nofault() of mm/maccess.c.
    return (*read, f"{name}->length += !{name}->length;") if helper == "user" else read


def _comm(name: str) -> tuple[str, ...]:
    # The second one reads it onto itself: only its length is wanted.
    return (
        f"bpf_get_current_comm({name}->bytes, {COMM_SIZE});",
        f"{name}->length = bpf_probe_read_kernel_str({name}->bytes, {COMM_SIZE}, {name}->bytes);",
    )
