"""The values of the kernel's enum names, as print fmts want them."""

from __future__ import annotations

from functools import cache

from tpkit.btf.blob import BtfError
from tpkit.btf.types import Btf
from tpkit.model import EnumValue


def enum_values(btf: Btf | None) -> EnumValue:
    """What answers an enum name with its value, each looked up once; None without BTF or for damaged BTF."""

    def value(name: str) -> int | None:
        try:
            return None if btf is None else btf.enum_value(name)
        except BtfError:
            return None

    return cache(value)
