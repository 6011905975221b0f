"""Frozen values ↔ plain JSON, by the types that their classes declare: nothing comes back that isn't of its type."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")


def described(value: Any) -> Any:
    """Dataclasses as objects, tuples as arrays, enums by their members' names."""
    if isinstance(value, Enum):
        return value.name
    if is_dataclass(value):
        return {each.name: described(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple):
        return [described(each) for each in value]
    return value


def restored(kind: type[T], data: Any) -> T:
    """What ``described`` gave, as a value of this class. Raises ValueError for anything that isn't one."""
    value: T = _restored(kind, data)
    return value


def _restored(kind: Any, data: Any) -> Any:
    if typing.get_origin(kind) is tuple:
        return _tuple(typing.get_args(kind), data)
    if isinstance(kind, types.UnionType):
        return None if data is None else _restored(_without_none(kind), data)
    if issubclass(kind, Enum):
        if not isinstance(data, str) or data not in kind.__members__:
            raise ValueError(f"{data!r} is no {kind.__name__}")
        return kind[data]
    if is_dataclass(kind):
        return _dataclass(kind, data)
    if type(data) is not kind:  # a bool isn't an int here
        raise ValueError(f"{data!r} is no {kind.__name__}")
    return data


def _without_none(kind: types.UnionType) -> Any:
    (wanted,) = (each for each in kind.__args__ if each is not type(None))  # all unions in our values are optional
    return wanted


def _tuple(elements: tuple[Any, ...], data: Any) -> tuple[Any, ...]:
    if not isinstance(data, list):
        raise ValueError(f"{data!r} is no array")
    if len(elements) == 2 and elements[1] is Ellipsis:
        return tuple(_restored(elements[0], each) for each in data)
    return tuple(_restored(element, each) for element, each in zip(elements, data, strict=True))


def _dataclass(kind: Any, data: Any) -> Any:
    types_of = _types(kind)
    if not isinstance(data, Mapping) or set(data) != set(types_of):
        raise ValueError(f"{kind.__name__} has other members")
    return kind(**{name: _restored(types_of[name], data[name]) for name in types_of})


@lru_cache(maxsize=64)
def _types(kind: Any) -> Mapping[str, Any]:
    return typing.get_type_hints(kind)
