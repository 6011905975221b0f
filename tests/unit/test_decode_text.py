"""Nothing that a stranger chose reaches a terminal raw, and nothing is lost on the way."""

from __future__ import annotations

import ast
import json

from hypothesis import given
from hypothesis import strategies as st

from tpkit.decode.text import json_text, plain, quote, safe


@given(st.binary())
def test_quoted_bytes_can_be_recovered(data: bytes) -> None:
    quoted = quote(data)
    assert quoted.isprintable()
    # Python reads C's octal escapes; what is beyond ASCII in the quoted form stands for its UTF-8.
    spelled = quoted.encode("utf-8").decode("latin-1")
    assert ast.literal_eval("b" + "".join(c if ord(c) < 128 else f"\\x{ord(c):02x}" for c in spelled)) == data


@given(st.binary())
def test_columns_and_messages_are_printable(data: bytes) -> None:
    assert plain(data).isprintable()
    assert all(line.isprintable() for line in safe(data.decode("utf-8", "surrogateescape")).split("\n"))


@given(st.binary())
def test_json_is_strict_and_reversible(data: bytes) -> None:
    text, hexadecimal = json_text(data)
    back = json.loads(json.dumps(text, allow_nan=False).encode("ascii"))
    assert (back.encode() if hexadecimal is None else bytes.fromhex(hexadecimal)) == data
