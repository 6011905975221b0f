"""C that reads one field of the context: directly where it can, with a probe read elsewhere."""

from __future__ import annotations

from tpkit.codegen.columns import Source
from tpkit.codegen.context_struct import ContextStruct
from tpkit.record import Capture


def value_statement(source: Source, context: ContextStruct, target: str) -> str:
    """The statement that reads the field's value, or its bytes, into ``target``."""
    field = source.access.field
    if source.access.argument is not None:
        return f"{target} = ctx->args[{source.access.argument}];"
    if source.column.capture is Capture.BYTES:
        return f"bpf_probe_read_kernel({target}, sizeof({target}), (char *)ctx + {field.offset});"
    member = context.names.get(field.offset)
    if member is None or field.overlaps:
        return f"bpf_probe_read_kernel(&{target}, sizeof({target}), (char *)ctx + {field.offset});"
    return f"{target} = ctx->{member};"


def text_address(source: Source, value: str) -> str:
    """Where the string or the bytes are that a pointer or a location leads to, ``value`` being its number."""
    field = source.access.field
    if source.column.capture is Capture.DATA_LOC:
        return f"(char *)ctx + ({value} & 0xffff)"
    if source.column.capture is Capture.REL_LOC:
        return f"(char *)ctx + {field.end} + ({value} & 0xffff)"
    return f"(const char *){value}"
