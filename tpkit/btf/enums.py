"""The values of the kernel's enum names, as print fmts want them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from tpkit.btf.blob import BtfError
from tpkit.btf.types import Btf


def enum_values(btf: Btf | None) -> Callable[[str], int | None]:
    """What answers an enum name with its value, each looked up once; None without BTF or for damaged BTF."""

    def value(name: str) -> int | None:
        try:
            return None if btf is None else btf.enum_value(name)
        except BtfError:
            return None

    return cache(value)
