"""C's grammar of type names, as casts, ``sizeof`` and declarations have them."""

from __future__ import annotations

from abc import ABC, abstractmethod

from tpkit.print_fmt.cursor import Cursor
from tpkit.print_fmt.tokens import NAME
from tpkit.print_fmt.tree import Expr, TypeName
from tpkit.print_fmt.type_words import ALIGNED, ARITHMETIC, KEYWORDS, QUALIFIERS, TAGS, TYPEOFS, type_follows


class TypeRules(Cursor, ABC):
    """The rules of type names; ``typeof`` takes them back to the rules of expressions."""

    @abstractmethod
    def _expression(self) -> Expr:
        """C's rule of the same name."""

    def _starts_type(self) -> bool:
        return type_follows(self._tokens, self._at + 1)

    def _type_in_brackets(self) -> TypeName:
        return self._bracketed(self._type_name)

    def _type_name(self) -> TypeName:
        of, base, body = self._specifiers()
        pointers = self._declarator()
        while self._tokens[self._at].text == "[":
            base += self._skip_brackets()
        return TypeName(base, pointers, of, body)

    def _specifiers(self) -> tuple[TypeName | Expr | None, str, str | None]:
        """A type's words: what a typeof holds, the name, and the body of a struct defined in place."""
        base: list[str] = []
        of: TypeName | Expr | None = None
        body: str | None = None
        start = self._at
        while (token := self._tokens[self._at]).kind == NAME:
            self._at += 1
            if token.text in TYPEOFS:
                of = self._typeof()
            elif token.text in ALIGNED:
                self._skip_attribute()
            elif token.text in TAGS:
                tag, body = self._tagged(token.text)
                base.append(tag)
            elif token.text in ARITHMETIC or (not base and of is None and token.text not in QUALIFIERS):
                base.append(token.text)
            elif token.text not in QUALIFIERS:
                self._at -= 1
                break
        if self._at == start:
            raise self._error("a type")
        return of, " ".join(base), body

    def _typeof(self) -> TypeName | Expr:
        if self._tokens[self._at].text != "(":
            raise self._error("'('")
        if self._starts_type() and self._closes_type():
            return self._type_in_brackets()
        return self._bracketed(self._expression)

    def _closes_type(self) -> bool:
        """Whether the bracket that is next holds a type and no more, tried and taken back."""
        inner = self._tokens[self._at + 1].text
        return inner in KEYWORDS or self._closing[self._at] == self._at + 2

    def _skip_attribute(self) -> None:
        if self._tokens[self._at].text == "(":
            self._skip_brackets()

    def _tagged(self, tag: str) -> tuple[str, str | None]:
        """The rest of ``struct name``, ``struct { … }`` or both."""
        name = self._name() if self._tokens[self._at].kind == NAME else ""
        body = self._skip_brackets() if self._tokens[self._at].text == "{" else None
        if not name and body is None:
            raise self._error("the name of a struct, union or enum")
        return f"{tag} {name}".strip(), body

    def _declarator(self) -> int:
        """Stars, qualifiers and ``(*)(…)`` behind a type's words: the depth of indirection."""
        pointers = 0
        while True:
            text = self._tokens[self._at].text
            if text == "*":
                pointers += 1
                self._at += 1
            elif text in QUALIFIERS:
                self._at += 1
            elif text in ALIGNED:
                self._at += 1
                self._skip_attribute()
            elif text == "(" and self._tokens[self._at + 1].text in ("*", ")"):
                pointers += 1
                self._skip_brackets()
                self._skip_attribute()
            else:
                return pointers
