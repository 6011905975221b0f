"""The C struct of a context: what the kernel hands to a program, as its format file describes it.

Every gap is a member of its own and every member has a size that its type says, so the offsets are
the file's whatever C's rules are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tpkit.codegen.columns import left_out
from tpkit.codegen.names import comment_text, safe_identifier
from tpkit.context import HEADER, Access, accesses, argument_base
from tpkit.model import EventFormat
from tpkit.record import Member, Scalar


@dataclass(frozen=True, slots=True)
class ContextMember:
    """A member with its comment (may be empty)."""

    declaration: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class ContextStruct:
    """members: in order; names: the member of a field, for the fields that have one (by offset)."""

    members: tuple[ContextMember, ...]
    names: dict[int, str]


def context_struct(event: EventFormat) -> ContextStruct:
    """The struct for an event. Fields that no aligned member can be made of have none."""
    members = [ContextMember(f"__u8 common[{HEADER}]", "the common header: not for BPF")]
    names: dict[int, str] = {}
    taken = {"common", "args"}
    end = HEADER
    for offset, member, comment in _placed(event, taken):
        if offset > end:
            members.append(ContextMember(f"__u8 _pad{end}[{offset - end}]"))
        members.append(ContextMember(member.declaration, comment))
        names[offset] = member.name
        end = offset + member.size
    return ContextStruct(tuple(members), names)


def left_out_members(event: EventFormat) -> tuple[ContextMember, ...]:
    """The event's own fields that no record carries, with the reason as the comment."""
    return tuple(
        ContextMember(comment_text(each.field.declaration), comment_text(each.refusal or ""))
        for each in left_out(event)
    )


def _placed(event: EventFormat, taken: set[str]) -> Iterator[tuple[int, Member, str]]:
    """Members by offset, none overlapping, each aligned to its own size."""
    end = HEADER
    by_offset = sorted(accesses(event), key=lambda a: a.field.offset)
    arguments = [access for access in by_offset if access.argument is not None]
    for access in by_offset:
        field = access.field
        if access.argument == 0:
            yield _argument_array(event, arguments)
            end = arguments[-1].field.end
        if not access.readable or access.argument is not None or field.offset < end:
            continue
        member = _member(access, taken)
        if member is not None:
            yield field.offset, member, "" if field.type.is_text else comment_text(field.type.text)
            end = field.end


def _argument_array(event: EventFormat, arguments: list[Access]) -> tuple[int, Member, str]:
    base, last = argument_base(event), arguments[-1]
    slot = last.field.size
    assert base is not None
    assert last.argument is not None
    comment = ", ".join(comment_text(a.field.declaration) for a in arguments)
    return base, Member("args", Scalar.of(slot, signed=False), last.argument + 1), comment


def _member(access: Access, taken: set[str]) -> Member | None:
    field = access.field
    if field.size in (1, 2, 4, 8) and not field.type.is_array:
        if field.offset % field.size:
            return None
        return Member(safe_identifier(field.name, taken), Scalar.of(field.size, bool(field.signed)))
    scalar = Scalar.CHAR if field.type.is_text else Scalar.U8
    return Member(safe_identifier(field.name, taken), scalar, field.size)
