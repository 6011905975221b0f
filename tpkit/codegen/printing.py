"""The C that prints a record, for loaders: what ``decode`` does in Python, as statements and tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tpkit.codegen.c_types import print_format
from tpkit.codegen.names import c_string
from tpkit.codegen.probes import ProbePlan
from tpkit.model import SymbolTable
from tpkit.record import Capture, Column, Display

_NUMBERS = {
    Display.POINTER: "print_pointer",
    Display.OCTAL: "print_octal",
    Display.ERROR: "print_result",
    Display.DEVICE: "print_device",
}
_ADDRESSES = {
    Display.IPV4: "print_ipv4",
    Display.IPV6: "print_ipv6",
    Display.SOCKET_ADDRESS: "print_socket_address",
}


@dataclass(frozen=True, slots=True)
class NameTable:
    """A table as C: its name, and initialisers such as ``{ 0x200, "AT_REMOVEDIR" }``."""

    name: str
    entries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Printing:
    """How one event's records are printed; needs: the helper functions that the statements call."""

    tables: tuple[NameTable, ...]
    statements: tuple[str, ...]
    needs: frozenset[str]


def printing(plan: ProbePlan) -> Printing:
    """The statements print ``dfd=AT_FDCWD, pathname="/x", flag=0`` of ``record``."""
    printer = _Printer(plan)
    for source in plan.sources:
        printer.add(source.column)
    return Printing(tuple(printer.tables), tuple(printer.statements), frozenset(printer.needs))


class _Printer:
    def __init__(self, plan: ProbePlan) -> None:
        self.tables: list[NameTable] = []
        self.statements: list[str] = []
        self.needs: set[str] = set()
        self._prefix = plan.name
        self._separator = ""

    def add(self, column: Column) -> None:
        """One more field."""
        label = f"{self._separator}{column.label}="
        self._separator = ", "
        if column.capture is Capture.VALUE:
            self._add_number(column, label)
            return
        self.statements.append(f"fputs({c_string(label)}, stdout);")
        self.statements += self._fixed(column) if column.capture is Capture.BYTES else self._varying(column)

    # ------------------------------------------------------------------------------ numbers

    def _add_number(self, column: Column, label: str) -> None:
        value = f"record->{column.value.name}"
        if column.table is not None:
            self.statements.append(f"fputs({c_string(label)}, stdout);")
            self.statements.append(f"if (!{self._named(column, column.table, value)})")
            self.statements += [f"\t{line}" for line in self._plain(column, value, "")]
        else:
            self.statements += self._plain(column, value, label)

    def _plain(self, column: Column, value: str, label: str) -> list[str]:
        """One statement that prints the number, with the label before it."""
        helper = _NUMBERS.get(column.display)
        if helper is not None:
            self.needs.add(helper)
            first = [f"fputs({c_string(label)}, stdout);"] if label else []
            return [*first, f"{helper}({value});"]
        conversion, cast = print_format(column.value.scalar)
        if column.display is Display.HEX:
            size = column.value.scalar.size
            conversion, cast = ("0x%llx", "(unsigned long long)") if size == 8 else ("0x%x", _unsigned(size))
        return [f"printf({c_string(label + conversion)}, {cast}{value});"]

    def _named(self, column: Column, table: SymbolTable, value: str) -> str:
        """A call that prints names, and says whether it did."""
        name = f"{self._prefix}_{column.value.name}_names"
        self.tables.append(NameTable(name, tuple(map(_entry, table.symbols))))
        if table.delimiter is not None and column.value.scalar.is_signed:
            value = f"(__u{column.value.size * 8}){value}"  # no sign bits above it
        number = f"{value} >> {table.shift}" if table.shift else value
        if table.mask is not None:
            number = f"({number}) & {table.mask:#x}"
        if table.delimiter is None:
            self.needs.add("print_name")
            return f"print_name({name}, COUNT({name}), {number})"
        self.needs.add("print_flags")
        arguments = f"{name}, COUNT({name}), {c_string(table.delimiter)}, {number}"
        if table.base is None:
            return f"print_flags({arguments})"
        return f"print_based_flags({self._base(column, table.base)}, {arguments})"

    def _base(self, column: Column, table: SymbolTable) -> str:
        """The arguments for the bits that are named as a whole: names, how many, which bits."""
        name = f"{self._prefix}_{column.value.name}_base"
        self.tables.append(NameTable(name, tuple(map(_entry, table.symbols))))
        self.needs.update(("print_name", "print_based_flags"))
        mask = (1 << column.value.size * 8) - 1 if table.mask is None else table.mask
        return f"{name}, COUNT({name}), {mask:#x}"

    # -------------------------------------------------------------------------- strings and bytes

    def _fixed(self, column: Column) -> Iterator[str]:
        """Bytes that every record has as many of."""
        data, size = f"record->{column.value.name}", f"sizeof(record->{column.value.name})"
        if column.display is Display.TEXT:
            self.needs.add("print_string")
            yield f"print_string({data}, strnlen({data}, {size}));"
        else:
            yield f"{self._bytes_call(column, data, size)};"
        if column.value.size < column.field.size:
            yield 'fputs("...", stdout);'

    def _varying(self, column: Column) -> Iterator[str]:
        """A string or bytes of their own length, or why there are none."""
        assert column.size is not None
        assert column.text is not None
        size, data = f"record->{column.size.name}", f"record->{column.text.name}"
        unread = 'fputs("?", stdout)'
        if not column.field.type.is_dynamic:
            self.needs.add("print_pointer")
            unread = f"print_pointer(record->{column.value.name})"
        yield f"if ({size} < 0)"
        yield f"\t{unread};"
        yield "else"
        if column.display is Display.TEXT:
            self.needs.update(("print_string", "print_cut_string"))
            yield f"\tprint_cut_string({data}, {size});"
            return
        self.needs.add("kept")
        yield f"\t{self._bytes_call(column, data, f'kept({size})')};"
        yield f"if ({size} > STRING_SIZE)"
        yield '\tfputs("...", stdout);'

    def _bytes_call(self, column: Column, data: str, size: str) -> str:
        if column.display is Display.NUMBERS:
            assert column.element is not None
            self.needs.add("print_numbers")
            signed = "true" if column.element.is_signed else "false"
            return f"print_numbers({data}, {size}, {column.element.size}, {signed})"
        self.needs.add("print_bytes")
        if column.display is Display.BYTES:
            return f"print_bytes({data}, {size})"
        self.needs.add(_ADDRESSES[column.display])
        return f"{_ADDRESSES[column.display]}({data}, {size})"


def _unsigned(size: int) -> str:
    """printf promotes what is narrower than an int, with its sign."""
    return {1: "(unsigned char)", 2: "(unsigned short)", 4: ""}[size]


def _entry(symbol: tuple[int, str]) -> str:
    number, name = symbol
    number -= (1 << 64) if number >= 1 << 63 else 0  # the table's numbers are long long
    return f"{{ {number:#x}, {c_string(name)} }}" if number > 9 else f"{{ {number}, {c_string(name)} }}"
