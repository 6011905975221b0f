"""C's expression grammar over the tokens of a print fmt; ``grammar.py`` shows it as a whole."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache

from tpkit.errors import FormatError
from tpkit.print_fmt.tokens import (
    CHARACTER,
    END,
    ENTRY,
    FIELD,
    NAME,
    NUMBER,
    TEXT,
    Token,
    join_literals,
    unescape,
)
from tpkit.print_fmt.tree import (
    Binary,
    Call,
    Cast,
    Compound,
    Conditional,
    Decode,
    Entry,
    Expr,
    FieldRef,
    Index,
    Local,
    Member,
    Name,
    Number,
    Opaque,
    Record,
    SizeOf,
    Statements,
    Text,
    TypeArgument,
    TypeName,
    Unary,
    children,
)
from tpkit.print_fmt.type_names import TypeRules
from tpkit.print_fmt.type_words import KEYWORDS, cast_follows

MAX_HEIGHT = 120  # of the tree of one argument, so that walking it never exhausts Python's stack

_LEVELS = (
    ("||",), ("&&",), ("|",), ("^",), ("&",), ("==", "!="), ("<", ">", "<=", ">="),
    ("<<", ">>"), ("+", "-"), ("*", "/", "%"),
)  # fmt: skip
_PRECEDENCE = {sign: level for level, signs in enumerate(_LEVELS, start=1) for sign in signs}
_ASSIGNMENTS = frozenset(("=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="))
_PREFIXES = frozenset("+-!~*&")
_DECODERS = {
    "__print_flags": True,
    "__print_flags_u64": True,
    "__print_symbolic": False,
    "__print_symbolic_u64": False,
}
_UNFOLLOWED = frozenset(("_Generic", "asm", "__asm__", "va_arg", "__builtin_va_arg"))


class Parser(TypeRules):
    """One pass over the tokens of a list of expressions. Each rule returns a node and moves on."""

    # ---------------------------------------------------------------------------- expressions

    def arguments_to_end(self) -> tuple[Expr, ...]:
        """The whole text: expressions with commas between them, perhaps one behind."""
        found: list[Expr] = []
        while self._tokens[self._at].kind != END:
            start = self._at
            found.append(self._assignment())
            self._check_height(found[-1], start)
            if self._tokens[self._at].kind != END:
                self._expect_comma()
        return tuple(found)

    def _expect_comma(self) -> None:
        if not self._accept(","):
            raise self._error("an operator, ',' or the end")

    def _check_height(self, node: Expr, start: int) -> None:
        """A tree is never higher than its tokens are many, so most need no look."""
        if self._at - start > MAX_HEIGHT and _height(node) > MAX_HEIGHT:
            raise self._error(f"an expression of at most {MAX_HEIGHT} operators in a row", start)

    def _expression(self) -> Expr:
        node = self._assignment()
        while self._accept(","):
            node = Binary(",", node, self._assignment())
        return node

    def _assignment(self) -> Expr:
        """An assignment or a ternary. Chains of ternaries are a loop: ilog2() of older kernels has 64 links."""
        links: list[tuple[Expr, Expr | None]] = []
        node = self._binary()
        while self._accept("?"):
            links.append((node, None if self._tokens[self._at].text == ":" else self._nested(self._expression)))
            self._expect(":")
            node = self._binary()
        token = self._tokens[self._at]
        if token.text in _ASSIGNMENTS:
            self._at += 1
            node = Binary(token.text, node, self._nested(self._assignment))
        for test, then in reversed(links):
            node = Conditional(test, then, node)
        return node

    def _binary(self) -> Expr:
        """Operands with infix operators between them, all of which are left-associative.

        An operator waits on the stack until one of lower precedence follows: no recursion, so a level
        of brackets costs the same few frames of Python's stack whatever is in it.
        """
        operands = [self._unary()]
        waiting: list[str] = []
        while level := _PRECEDENCE.get(sign := self._tokens[self._at].text):
            self._at += 1
            while waiting and _PRECEDENCE[waiting[-1]] >= level:
                _join(waiting.pop(), operands)
            waiting.append(sign)
            operands.append(self._unary())
        while waiting:
            _join(waiting.pop(), operands)
        return operands[0]

    def _unary(self) -> Expr:
        token = self._tokens[self._at]
        if token.text in _PREFIXES:
            self._at += 1
            return Unary(token.text, self._nested(self._unary))
        if token.text == "(" and cast_follows(self._tokens, self._at + 1):
            return self._nested(self._cast)
        if token.text in ("sizeof", "__alignof__", "_Alignof"):
            return self._nested(self._sizeof)
        if token.text == "__extension__":
            self._at += 1
        return self._postfix(self._primary())

    def _cast(self) -> Expr:
        type_name = self._type_in_brackets()
        if self._tokens[self._at].text == "{":
            return self._postfix(self._compound(type_name))
        return Cast(type_name, self._unary())

    def _sizeof(self) -> Expr:
        function = self._tokens[self._at].text
        self._at += 1
        is_type = self._tokens[self._at].text == "(" and self._starts_type()
        of = self._type_in_brackets() if is_type else self._unary()
        if function == "sizeof":
            return SizeOf(of)
        return Call(function, (TypeArgument(of) if isinstance(of, TypeName) else of,))

    def _postfix(self, node: Expr) -> Expr:
        while True:
            sign = self._tokens[self._at].text
            if sign in ("->", "."):
                self._at += 1
                node = _member(node, self._name(), arrow=sign == "->")
            elif sign == "[":
                node = Index(node, self._bracketed(self._expression))
            elif sign == "(":
                node = self._call(node)
            else:
                return node

    def _primary(self) -> Expr:
        token = self._tokens[self._at]
        if token.text == "(":
            if self._tokens[self._at + 1].text == "{":
                return self._statement_expression()
            return self._bracketed(self._expression)
        if token.kind == FIELD:
            self._at += 1
            return FieldRef(_last_word(token.text))
        if token.kind == NAME:
            self._at += 1
            return Record() if token.text == "REC" else Name(token.text)
        constant = _constant(token)
        if constant is None:
            raise self._error("an expression")
        self._at += 1
        return constant

    # ---------------------------------------------------------------------- calls and tables

    def _call(self, function: Expr) -> Expr:
        name = function.name if isinstance(function, Name) else None
        if name is None:
            return self._opaque_call()
        if name in _UNFOLLOWED:
            return Opaque(name + self._skip_brackets())
        if name in _DECODERS:
            return self._bracketed(lambda: self._decode(name))
        return Call(name, self._bracketed(self._call_arguments))

    def _opaque_call(self) -> Expr:
        """A call through a pointer, which nothing outside the kernel can follow."""
        return Opaque("(…)" + self._skip_brackets())

    def _call_arguments(self) -> tuple[Expr, ...]:
        found: list[Expr] = []
        while self._tokens[self._at].text != ")":
            found.append(self._call_argument())
            if not self._accept(","):
                break
        return tuple(found)

    def _call_argument(self) -> Expr:
        token = self._tokens[self._at]
        if token.kind == NAME and token.text in KEYWORDS:
            return TypeArgument(self._type_name())
        if token.text == "{":
            return Opaque(self._skip_brackets())
        return self._assignment()

    def _decode(self, name: str) -> Expr:
        """The arguments of a helper with a table; a plain call where the table isn't in the text."""
        arguments = [self._assignment()]
        if _DECODERS[name]:
            self._expect(",")
            arguments.append(self._assignment())
        entries: list[Entry] = []
        elsewhere: list[Expr] = []
        while self._accept(","):
            token = self._tokens[self._at]
            if token.kind == ENTRY or token.text == "{":
                self._entries(entries)
            elif token.text != ")":
                elsewhere.append(self._assignment())
        if elsewhere:
            return Call(name, (*arguments, *elsewhere))
        delimiter = _delimiter(arguments[1]) if _DECODERS[name] else None
        return Decode(arguments[0], delimiter, tuple(entries), name.endswith("_u64"))

    def _entries(self, entries: list[Entry]) -> None:
        """``{ value, "text" }``, ``{ }``, or braces around several of them."""
        token = self._tokens[self._at]
        if token.kind == ENTRY:
            entries.append(_simple_entry(token.text))
            self._at += 1
        elif self._tokens[self._at + 1].kind == ENTRY or self._tokens[self._at + 1].text == "{":
            self._bracketed(lambda: self._several_entries(entries))
        else:
            self._bracketed(lambda: self._entry(entries))

    def _several_entries(self, entries: list[Entry]) -> None:
        while self._tokens[self._at].kind == ENTRY or self._tokens[self._at].text == "{":
            self._entries(entries)
            self._accept(",")

    def _skip_designator(self) -> None:
        """``.mask =`` or ``.name =``: tables have them in this order."""
        if self._accept("."):
            self._name()
            self._expect("=")

    def _entry(self, entries: list[Entry]) -> None:
        if self._tokens[self._at].text == "}":
            return
        self._skip_designator()
        value = self._assignment()
        self._expect(",")
        self._skip_designator()
        start = self._at
        text = self._assignment()
        if isinstance(text, Text):
            entries.append(Entry(value, text.value))
        elif text not in (Name("NULL"), Number(0)):  # NULL ends a table, others are unknown texts
            source = self._source[self._tokens[start].at : self._tokens[self._at].at]
            entries.append(Entry(value, f"<{source.strip()}>"))
        self._accept(",")

    def _compound(self, type_name: TypeName) -> Expr:
        start = self._at
        with suppress(FormatError):
            return Compound(type_name, self._bracketed(self._initializers))
        self._at = start
        return Opaque(self._skip_brackets())

    def _initializers(self) -> tuple[tuple[str | None, Expr], ...]:
        found: list[tuple[str | None, Expr]] = []
        while self._tokens[self._at].text != "}":
            name = None
            if self._accept("."):
                name = self._name()
                self._expect("=")
            found.append((name, self._assignment()))
            if not self._accept(","):
                break
        return tuple(found)

    # -------------------------------------------------------------------------- statements

    def _statement_expression(self) -> Expr:
        """``({ … })``: followed when it only declares values and yields one, else kept as it stands.

        Text that is tried here and given up isn't read again, so nesting costs no more time.
        """
        start = self._at
        with suppress(FormatError):
            self._at += 1
            node = self._bracketed(self._statements)
            self._expect(")")
            return node
        self._at = start
        return Opaque(self._skip_brackets())

    def _statements(self) -> Expr:
        declared: list[Local] = []
        result: Expr | None = None
        while self._tokens[self._at].text != "}":
            if self._accept(";"):
                continue
            result = None
            if self._accept("_Static_assert"):
                self._bracketed(self._call_arguments)
            elif self._tokens[self._at].text in KEYWORDS or self._tokens[self._at + 1].kind == NAME:
                declared.extend(self._declaration())
            else:
                result = self._expression()
            self._expect(";")
        if result is None:
            raise self._error("the value of a statement expression")
        return Statements(tuple(declared), result)

    def _declaration(self) -> list[Local]:
        """``type name = value, …`` without arrays, for only values can be followed."""
        of, base, body = self._specifiers()
        declared: list[Local] = []
        while True:
            type_name = TypeName(base, self._declarator(), of, body)
            name = self._name()
            self._expect("=")
            declared.append(Local(name, type_name, self._assignment()))
            if not self._accept(","):
                return declared


# ------------------------------------------------------------------------------------- helpers


def _height(node: Expr) -> int:
    """How many nodes the longest way down has, found without recursion."""
    height = 0
    row = [node]
    while row:
        height += 1
        row = [below for each in row for below in children(each)]  # type: ignore[misc]
    return height


def _join(operator: str, operands: list[Expr]) -> None:
    """Make the last two operands one."""
    right = operands.pop()
    operands.append(Binary(operator, operands.pop(), right))


def _delimiter(node: Expr) -> str:
    """A literal's text; NULL, the usual other choice, puts nothing between flags."""
    return node.value if isinstance(node, Text) else ""


def _member(of: Expr, name: str, *, arrow: bool) -> Expr:
    return FieldRef(name) if isinstance(of, Record) else Member(of, name, arrow)


def _last_word(text: str) -> str:
    """``name`` of ``REC->name``."""
    return text[text.index(">") + 1 :].strip()


@lru_cache(maxsize=1 << 13)
def _simple_entry(text: str) -> Entry:
    """An entry of a number and a text, as one token has them."""
    number, _, literal = text[1:-1].partition(",")
    digits = number.strip()
    value: Expr = _number(digits.lstrip("-"))
    return Entry(Unary("-", value) if digits[0] == "-" else value, join_literals(literal))


def _constant(token: Token) -> Expr | None:
    """The node of a number, a character or a string; None for other tokens."""
    if token.kind == NUMBER:
        return _number(token.text)
    if token.kind == TEXT:
        return Text(join_literals(token.text))
    if token.kind == CHARACTER:
        return Number(ord(unescape(token.text.lstrip("L")[1:-1])[:1] or "\0"))
    return None


def _number(text: str) -> Number:
    digits = text.lower().rstrip("ul")
    suffix = text.lower()[len(digits) :]
    ordered = "u" * ("u" in suffix) + "l" * suffix.count("l")
    if digits.startswith(("0x", "0b")):
        return Number(int(digits, 0), ordered, based=True)
    octal = len(digits) > 1 and digits[0] == "0" and digits.isdigit() and not set(digits) & {"8", "9"}
    return Number(int(digits, 8 if octal else 10), ordered, based=octal)
