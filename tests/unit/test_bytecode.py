"""Compiled programs as data: numbers in their places, JSON that gives them back, hostile JSON that gives nothing."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpkit import CompileError
from tpkit.runtime.bytecode import (
    Bytecode,
    Function,
    MapDefinition,
    check_constants,
    with_calls,
    with_constants,
    with_maps,
)
from tpkit.runtime.system_calls import MapKind

MOVE, LOAD_64, PSEUDO_MAP = 0xB7, 0x18, 1
EXIT = struct.pack("=BBhi", 0x95, 0, 0, 0)


def move(number: int) -> bytes:
    return struct.pack("=BBhi", MOVE, 1, 0, number)


def load_map(number: int) -> bytes:
    return struct.pack("=BBhiBBhi", LOAD_64, PSEUDO_MAP << 4 | 1, 0, number, 0, 0, 0, 0)


def load_number(low: int, high: int = 0) -> bytes:
    return struct.pack("=BBhiBBhi", LOAD_64, 1, 0, low, 0, 0, 0, high)


def ring(entries: int = 1) -> MapDefinition:
    return MapDefinition("events", MapKind.RINGBUF, 0, 0, entries, 0)


def array(name: str) -> MapDefinition:
    return MapDefinition(name, MapKind.ARRAY, 4, 8, 2, 0)


CODE = move(7) + load_map(1) + load_number(1) + load_map(0) + EXIT
BYTECODE = Bytecode((ring(), array("session")), (Function("on_x", CODE), Function("on_y", EXIT)))


# --------------------------------------------------------------------------------- numbers


def test_maps_get_their_descriptors() -> None:
    code = with_maps(CODE, {0: 30, 1: 31})
    assert code == move(7) + load_map(31) + load_number(1) + load_map(30) + EXIT
    assert with_maps(code, {30: 0, 31: 1}) == CODE
    with pytest.raises(KeyError):
        with_maps(CODE, {0: 30})


def test_the_second_half_of_a_load_is_no_instruction() -> None:
    """Its bytes may be any, those of a load of a map or of a placeholder among them."""
    looks_like_a_map = struct.pack("=BBhi", LOAD_64, 1, 0, 5) + load_map(1)[:8]
    assert with_maps(looks_like_a_map, {}) == looks_like_a_map


def test_placeholders_are_replaced_where_a_register_is_set() -> None:
    code = move(0x7E57A000) + load_number(0x7E57A000) + move(5) + move(0x7E57A001) + EXIT
    changed = with_constants(code, {0x7E57A000: 1234, 0x7E57A001: 5678})
    assert changed == move(1234) + load_number(0x7E57A000) + move(5) + move(5678) + EXIT
    assert with_constants(code, {}) == code


def call(function: int, source: int = 0) -> bytes:
    return struct.pack("=BBhi", 0x85, source << 4, 0, function)


def test_functions_that_no_kernel_has_are_replaced() -> None:
    code = call(14) + call(0x7E579001) + move(0x7E579001) + call(0x7E579001, 1) + call(0x7E579002) + EXIT
    known = with_calls(code, {0x7E579001: 70001, 0x7E579002: 70002})
    assert known == call(14) + call(70001, 2) + move(0x7E579001) + call(0x7E579001, 1) + call(70002, 2) + EXIT
    none = with_calls(code, {0x7E579001: None, 0x7E579002: None})
    nothing = struct.pack("=BBhi", 0xB7, 0, 0, 0)  # r0 = 0
    assert none == call(14) + nothing + move(0x7E579001) + call(0x7E579001, 1) + nothing + EXIT


@pytest.mark.parametrize("pid", [1, 1 << 22, (1 << 31) - 1])
def test_any_process_has_room(pid: int) -> None:
    assert with_constants(move(0x7E57A000), {0x7E57A000: pid}) == move(pid)


def test_a_placeholder_that_the_compiler_took_away_is_an_error() -> None:
    functions = (Function("on_x", move(0x7E57A000) + EXIT), Function("on_y", EXIT))
    check_constants(functions, [0x7E57A000])
    with pytest.raises(CompileError, match="0x7e57a001"):
        check_constants(functions, [0x7E57A000, 0x7E57A001])


# ----------------------------------------------------------------------------------- parts


def test_parts_share_their_maps() -> None:
    one = Bytecode((ring(), array("session")), (Function("on_x", load_map(1) + EXIT),))
    other = Bytecode((array("session"), array("more"), ring()), (Function("on_y", load_map(0) + load_map(2) + EXIT),))
    merged = Bytecode.merged([one, other])
    assert [each.name for each in merged.maps] == ["events", "session", "more"]
    assert merged.functions == (
        Function("on_x", load_map(1) + EXIT),
        Function("on_y", load_map(1) + load_map(0) + EXIT),
    )
    assert Bytecode.merged([one]) is one


def test_parts_that_disagree_are_refused() -> None:
    with pytest.raises(CompileError, match="events"):
        Bytecode.merged([Bytecode((ring(),), ()), Bytecode((ring(2),), ())])


# ------------------------------------------------------------------------------------ JSON


def test_json_gives_it_back() -> None:
    assert Bytecode.from_json(BYTECODE.as_json()) == BYTECODE
    assert Bytecode.from_json(BYTECODE.as_json().encode()) == BYTECODE


def changed(**values: Any) -> str:
    return json.dumps({**json.loads(BYTECODE.as_json()), **values})


def with_map(**values: Any) -> str:
    first, *others = json.loads(BYTECODE.as_json())["maps"]
    return changed(maps=[{**first, **values}, *others])


def with_code(code: bytes) -> str:
    return changed(functions=[["on_x", base64.b64encode(code).decode()]])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "5",
        '"maps"',
        "{}",
        "[" * 100_000,
        changed(maps=None),
        changed(maps=5),
        changed(maps=["events"]),
        changed(maps=[[]]),
        changed(functions=None),
        changed(functions=["ab"]),  # two characters are no pair of strings that could be used
        changed(functions=[["on_x"]]),
        changed(functions=[["on_x", "", ""]]),
        changed(functions=[["on_x", None]]),
        changed(functions=[["on_x", "é"]]),
        changed(functions=[["on_x", "no base64!"]]),
        changed(functions=[["on_x", ""]]),
        changed(functions=[["on x", base64.b64encode(EXIT).decode()]]),
        changed(functions=[["", base64.b64encode(EXIT).decode()]]),
        changed(functions=[[5, base64.b64encode(EXIT).decode()]]),
        changed(functions=[["on_x\0", base64.b64encode(EXIT).decode()]]),
        with_map(name=5),
        with_map(name=""),
        with_map(name="a b"),
        with_map(name="a\0"),
        with_map(name="é"),
        with_map(kind=3),  # a kernel's, but none that our programs have
        with_map(kind="27"),
        with_map(kind=27.0),
        with_map(kind=True),
        with_map(key_size=-1),
        with_map(value_size=1 << 32),
        with_map(entries=None),
        with_map(flags=[0]),
        with_code(EXIT[:-1]),
        with_code(load_map(2) + EXIT),  # a map that isn't there
        with_code(load_map(-1) + EXIT),
        with_code(load_map(0)[:8]),  # the second half is missing
        with_code(EXIT + load_number(0)[:8]),
        with_code(EXIT * 1_000_001),
    ],
)
def test_hostile_json(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- its words go nowhere
        Bytecode.from_json(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["maps", "functions", "name"]), inner),
    max_leaves=12,
)


@given(JSON)
def test_any_json(value: object) -> None:
    """Either it is a program, or a ValueError."""
    parsed_or_refused(json.dumps(value))


@given(st.binary(max_size=60))
def test_any_bytes(data: bytes) -> None:
    parsed_or_refused(data)


WHOLE = BYTECODE.as_json().encode()


@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=3), st.integers(0, 3))
def test_damage(place: int, new: bytes, gone: int) -> None:
    parsed_or_refused(WHOLE[:place] + new + WHOLE[place + gone :])


@given(st.binary(max_size=64))
def test_any_code(code: bytes) -> None:
    """What is taken has whole instructions, and names maps that are there: nothing else goes to the kernel."""
    parsed_or_refused(with_code(code))


def parsed_or_refused(text: str | bytes) -> None:
    try:
        parsed = Bytecode.from_json(text)
    except ValueError:
        return
    descriptors = {number: number for number in range(len(parsed.maps))}
    for each in parsed.functions:
        assert with_maps(each.code, descriptors) == each.code
        assert len(each.code) % 8 == 0
    assert Bytecode.from_json(parsed.as_json()) == parsed
