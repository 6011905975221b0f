"""Print fmts: the text behind ``print fmt:`` in a format file, understood and rendered.

    text ──► tokens ──► grammar ──► tree ──► tables     (what the event shows, and how)
                                      │
                          record ──► evaluate ──► render (the text that the kernel's trace file has)

``parse_print_fmt`` reads the text, ``decodings``, ``shown_fields`` and ``unevaluable`` say what is in
it, ``render`` and ``Renderer`` turn a record's bytes into the kernel's text. ``Machine`` holds what
must be known of the kernel that wrote the record.
"""

from tpkit.print_fmt.displays import displays
from tpkit.print_fmt.grammar import parse_print_fmt
from tpkit.print_fmt.machine import LOCAL, Machine, SortedSymbols, Symbol, Symbols
from tpkit.print_fmt.render import Renderer, Rendering, render
from tpkit.print_fmt.tables import Decoding, decodings, shown_fields, symbol_tables, unevaluable
from tpkit.print_fmt.tree import PrintFmt
from tpkit.print_fmt.values import Doubt

__all__ = [
    "LOCAL",
    "Decoding",
    "Doubt",
    "Machine",
    "PrintFmt",
    "Renderer",
    "Rendering",
    "SortedSymbols",
    "Symbol",
    "Symbols",
    "decodings",
    "displays",
    "parse_print_fmt",
    "render",
    "shown_fields",
    "symbol_tables",
    "unevaluable",
]
