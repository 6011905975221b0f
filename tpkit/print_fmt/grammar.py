"""The grammar of a print fmt: text → expression tree.

``tokens.py`` cuts the text into words with pyparsing; here C's expression grammar runs over them. It is
written as precedence climbing, one method a rule (``expressions.py``, ``type_names.py``), for
pyparsing's own operator grammar takes exponential time in nested parentheses, of which the kernel's
macros leave up to 24. Broadly:

    expression  := assignment { ',' assignment }
    assignment  := binary-by-precedence [ '?' [expression] ':' assignment ] [ '=' assignment ]
    unary       := prefix unary | '(' type ')' unary | sizeof … | postfix
    postfix     := primary { '.' name | '->' name | '[' expression ']' | '(' arguments ')' }
    primary     := name | number | text | '(' expression ')' | '({' statements '})' | '(' type '){' … '}'

Whether ``(name)`` is a cast is a question C answers with its table of types; ``type_words.py`` guesses.
"""

from __future__ import annotations

from functools import lru_cache

from tpkit.errors import FormatError
from tpkit.print_fmt import tokens as words
from tpkit.print_fmt.expressions import Parser
from tpkit.print_fmt.template import Conversion, parse_template
from tpkit.print_fmt.tokens import MAX_TEXT, Template, format_error
from tpkit.print_fmt.tree import Expr, PrintFmt

_NONE = "(null)"  # what the kernel's f_show prints for an event without a print fmt


@lru_cache(maxsize=1 << 12)
def parse_print_fmt(text: str) -> PrintFmt:
    """Read the text behind ``print fmt:``; an empty one, or none at all, gives an empty template.

    Raises FormatError, with line and column counted from the text's start, for text that isn't a
    format string and C expressions. What can't be evaluated is no error. Takes linear time.
    """
    if len(text) > MAX_TEXT:
        raise format_error(text, MAX_TEXT, f"a print fmt of at most {MAX_TEXT} characters")
    if text.strip() in ("", _NONE):
        return PrintFmt("")
    return _likeliest(text)


def _likeliest(text: str) -> PrintFmt:
    """The first reading with as many arguments as its conversions want, or else the very first."""
    first: PrintFmt | None = None
    failure: FormatError | None = None
    for template in words.templates(text):
        try:
            candidate = PrintFmt(template.text, _parse_arguments(text, template))
        except FormatError as error:
            failure = failure or error
            continue
        if len(candidate.arguments) == _wanted(template.text):
            return candidate
        if failure is None:
            first = first or candidate
    if first is None:
        raise failure or format_error(text, 0, "a print fmt")
    return first


def _wanted(template: str) -> int:
    """How many arguments a format string takes."""
    return sum(part.arguments for part in parse_template(template) if isinstance(part, Conversion))


def _parse_arguments(text: str, template: Template) -> tuple[Expr, ...]:
    """The expressions behind the format string, with errors placed in the whole text."""
    source = text[template.arguments_at :]
    if not source.strip():
        return ()
    try:
        return parse_arguments(source)
    except FormatError as error:
        at = template.arguments_at + _offset(source, error)
        raise format_error(text, at, error.expected) from None


def _offset(source: str, error: FormatError) -> int:
    """An error's place in its source, as a number of characters."""
    lines = source.split("\n")[: error.line - 1]
    return sum(len(line) + 1 for line in lines) + error.column - 1


def parse_arguments(source: str) -> tuple[Expr, ...]:
    """C expressions with commas between them. Raises FormatError with line 1 at the source's start."""
    return Parser(source, words.tokenize(source)).arguments_to_end()
