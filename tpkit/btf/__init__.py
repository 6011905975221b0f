"""What the kernel's BTF says of a context struct or an enum: read it, don't guess it.

``blob`` finds records in the bytes, ``types`` gives them their meaning in C, ``load`` reads files,
``context`` compares a format file with the struct behind its tracepoint. Pure Python, and quick enough
for every start of the program: nothing is parsed that isn't asked for.
"""

from tpkit.btf.blob import BtfError, Kind
from tpkit.btf.context import ContextStruct, context_struct
from tpkit.btf.enums import enum_values
from tpkit.btf.load import load_btf, load_kernel_btf
from tpkit.btf.types import Btf, BtfMember, BtfStruct, BtfType

__all__ = [
    "Btf",
    "BtfError",
    "BtfMember",
    "BtfStruct",
    "BtfType",
    "ContextStruct",
    "Kind",
    "context_struct",
    "enum_values",
    "load_btf",
    "load_kernel_btf",
]
