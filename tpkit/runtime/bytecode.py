"""A compiled program, as data: maps that aren't made yet, and functions that name them by their number.

Which bytes stand where is ``struct bpf_insn``'s matter, of ``uapi/linux/bpf.h``: opcode, registers, a 16-bit
offset and a 32-bit immediate, 8 bytes in all. A map stands in the immediate of a 16-byte load whose source
register is ``BPF_PSEUDO_MAP_FD``.
"""

from __future__ import annotations

import base64
import json
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tpkit.errors import CompileError
from tpkit.runtime.system_calls import MapKind

_INSTRUCTION = struct.Struct("=BBhi")
_LOAD_64 = 0x18  # BPF_LD | BPF_IMM | BPF_DW
_PSEUDO_MAP_FD = 1
# Where the byte of both registers has the source: struct bpf_insn of uapi/linux/bpf.h, whose bit fields follow the
# order of bytes.
_SOURCE = 4 if sys.byteorder == "little" else 0
_MOVE = 0xB7  # BPF_ALU64 | BPF_MOV | BPF_K
_CALL = 0x85  # BPF_JMP | BPF_CALL
_PSEUDO_KFUNC_CALL = 2
_MAX_INSTRUCTIONS = 1_000_000  # BPF_COMPLEXITY_LIMIT_INSNS
_MAX_NUMBER = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class MapDefinition:
    """A map to be made; sizes in bytes."""

    name: str
    kind: MapKind
    key_size: int
    value_size: int
    entries: int
    flags: int


@dataclass(frozen=True, slots=True)
class Function:
    """A function's instructions; maps stand in them by their number among the definitions."""

    name: str
    code: bytes


@dataclass(frozen=True, slots=True)
class Bytecode:
    """What a compiler made of a program's source."""

    maps: tuple[MapDefinition, ...]
    functions: tuple[Function, ...]

    @classmethod
    def merged(cls, parts: Sequence[Bytecode]) -> Bytecode:
        """Several parts of one program, whose maps are the same, as one. Raises CompileError where they aren't."""
        if len(parts) == 1:
            return parts[0]
        maps: dict[str, MapDefinition] = {}
        for each in (each for part in parts for each in part.maps):
            if maps.setdefault(each.name, each) != each:
                raise CompileError("parts of a program differ in a map", where=each.name, remedy="please report this")
        places = {name: place for place, name in enumerate(maps)}
        functions = []
        for part in parts:
            numbers = {number: places[each.name] for number, each in enumerate(part.maps)}
            functions += [Function(each.name, with_maps(each.code, numbers)) for each in part.functions]
        return cls(tuple(maps.values()), tuple(functions))

    def as_json(self) -> str:
        """For ``from_json``."""
        return json.dumps(
            {
                "maps": [asdict(each) for each in self.maps],
                "functions": [[each.name, base64.b64encode(each.code).decode()] for each in self.functions],
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Bytecode:
        """Raises ValueError for anything that ``as_json`` doesn't write."""
        try:
            value = json.loads(text)
            maps = tuple(_definition(each) for each in value["maps"])
            functions = tuple(_function(name, code, len(maps)) for name, code in value["functions"])
        except (TypeError, LookupError, RecursionError) as error:
            raise ValueError(str(error)) from None
        return cls(maps, functions)


def _definition(value: Mapping[str, Any]) -> MapDefinition:
    numbers = [value[name] for name in ("kind", "key_size", "value_size", "entries", "flags")]
    if not _is_name(value["name"]):
        raise ValueError(value)
    if any(type(number) is not int or not 0 <= number <= _MAX_NUMBER for number in numbers):
        raise ValueError(value)
    return MapDefinition(value["name"], MapKind(numbers[0]), *numbers[1:])


def _function(name: Any, code: Any, maps: int) -> Function:
    if not _is_name(name):
        raise ValueError(name)
    function = Function(name, base64.b64decode(code, validate=True))
    if len(function.code) % 8 or not 0 < len(function.code) // 8 <= _MAX_INSTRUCTIONS:
        raise ValueError(name)
    for _, number in _map_places(function.code):
        if not 0 <= number < maps:
            raise ValueError(name)
    return function


def _is_name(value: Any) -> bool:
    """Whether the kernel would take it as one."""
    return isinstance(value, str) and value.isascii() and value.isidentifier()


def with_maps(code: bytes, numbers: Mapping[int, int]) -> bytes:
    """The instructions with other numbers for maps: definitions' for descriptors, or the other way.

    Raises KeyError for a map that isn't among them.
    """
    changed = bytearray(code)
    for place, number in _map_places(code):
        struct.pack_into("=i", changed, place + 4, numbers[number])
    return bytes(changed)


def with_constants(code: bytes, constants: Mapping[int, int]) -> bytes:
    """The instructions with numbers in the place of their placeholders, where a register is set to one."""
    if not constants:
        return code
    changed = bytearray(code)
    for place in range(0, len(code), 8):
        opcode, _, _, immediate = _INSTRUCTION.unpack_from(code, place)
        if opcode == _MOVE and immediate in constants:
            struct.pack_into("=i", changed, place + 4, constants[immediate])
    return bytes(changed)


def with_calls(code: bytes, functions: Mapping[int, int | None]) -> bytes:
    """The instructions with calls of kernel functions, by their BTF ids, in the place of their placeholders.

    Where there is no such function nothing is called, and 0 returned.
    """
    changed = bytearray(code)
    for place in range(0, len(code), 8):
        opcode, registers, _, immediate = _INSTRUCTION.unpack_from(code, place)
        if opcode == _CALL and not registers and immediate in functions:
            function = functions[immediate]
            called = (_MOVE, 0, 0, 0) if function is None else (_CALL, _PSEUDO_KFUNC_CALL << _SOURCE, 0, function)
            _INSTRUCTION.pack_into(changed, place, *called)
    return bytes(changed)


def check_constants(functions: Sequence[Function], placeholders: Iterable[int]) -> None:
    """Every placeholder has to be where it can be replaced. Raises CompileError for one that isn't there."""
    for placeholder in placeholders:
        if all(with_constants(each.code, {placeholder: 0}) == each.code for each in functions):
            raise CompileError(
                f"the compiler left no trace of the placeholder {placeholder:#x}",
                remedy="please report this with BCC's version and the program (--show-program)",
            )


def _map_places(code: bytes) -> Iterator[tuple[int, int]]:
    """Where instructions name maps, and the numbers there. Raises ValueError where the last one is but a half."""
    place = 0
    while place < len(code):
        opcode, registers, _, immediate = _INSTRUCTION.unpack_from(code, place)
        if opcode == _LOAD_64 and registers >> _SOURCE & 0xF == _PSEUDO_MAP_FD:
            yield place, immediate
        place += 16 if opcode == _LOAD_64 else 8
    if place > len(code):
        raise ValueError("half an instruction")
