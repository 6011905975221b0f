"""A hundred names that somebody gave a file, or a thread, to deceive or to harm whoever looks at them."""

from __future__ import annotations

import unicodedata

ESCAPES = [
    b"\x1b[31mred",
    b"\x1b[2J\x1b[H",
    b"\x1b]0;title\x07",
    b"\x1b]52;c;cm0gLXJmIH4K\x07",  # OSC 52: into the clipboard
    b"\x1b]52;c;cm0gLXJmIH4K\x1b\\",
    b"\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    b"\x1bP$q\x1b\\",
    b"\x1b[6n",
    b"\x1b[?1049h",
    b"\x1bc",
    b"\x9b31m",  # C1 as one byte
    b"\xc2\x9b31m",  # C1 as UTF-8
    b"\xc2\x9d52;c;eA==\xc2\x9c",
    b"\xc2\x85next line",
    b"\x07" * 30,
    b"a\x08\x08b",
    b"abc\rxyz",
    b"\x0e\x0f",
    b"\x7f\x7f",
    b"\x1b",
]
LINES = [
    b"a\nb",
    b"a\n00:00:01.000000      42 rm              sys_enter_unlinkat(dfd=AT_FDCWD)",
    b"\r\n",
    b"\n" * 40,
    b"a\x0bb\x0cc",
    b"a\tb",
    b"a\x1cb\x1dc\x1ed",
    "a\u2028b\u2029c".encode(),
    b'","ret":0}\n{"event":"x',
    b'a"\n"b',
    b"a\\nb",
    b"\\",
    b"\\\\x",
    b"\\012",
    b'"',
    b'""',
    b'") = 0',
    b'"...',
]
UNICODE = [
    *(f"a{chr(code)}b".encode() for code in (0x202A, 0x202B, 0x202D, 0x202E, 0x2066, 0x2067, 0x2068, 0x200E, 0x061C)),
    *(f"a{chr(code)}b".encode() for code in (0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0x00AD, 0x180E, 0x034F, 0x3164)),
    *(f"a{chr(code)}b".encode() for code in (0xE0001, 0xE0041, 0xE007F, 0xFE0F, 0xE0100, 0x115F, 0xFFA0, 0x2800)),
    *(f"a{chr(code)}b".encode() for code in (0xFFF9, 0xFFFD, 0xFFFE, 0x10FFFF, 0xE000, 0x00A0, 0x3000, 0x0085)),
    "e\u0301\u0302\u0303".encode(),
    "日本語 café Ωmega \N{PILE OF POO}".encode(),
    "\u05d0\u05d1 \u0627".encode(),
]
NOT_UTF8 = [
    b"\xff\xfe",
    b"\xc0\xaf",
    b"\xc3",
    b"caf\xe9",
    b"\xed\xa0\x80",  # a lone surrogate
    b"\xed\xb2\x80",  # the one that stands for a byte in Python
    b"\xed\xa0\xbd\xed\xb2\xa9",  # a pair of them, as CESU-8
    b"\xf4\x90\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\x80" * 20,
    bytes(range(1, 128)),
    bytes(range(128, 256)),
]
FORMATS = [
    b"[red]markup[/red]",
    b"%s%n%x",
    b"{0.__class__}",
    b"$(reboot)",
    b"`id`",
    b"; rm -rf /",
    b"=1+1",
    b"+1",
    b"-1",
    b"@SUM(A1)",
    b"=cmd|' /C calc'!A0",
    b"a,=1+1",
    b"a;=1+1",
    b'a","=1+1',
    b"'=1+1",
    "\uff1d1+1".encode(),
    b"a,b",
    b"a\tb,c\td",
    b" leading and trailing ",
    b"",
    b"NULL",
    b"0x7ffe0000",
    b"null",
    b"<script>alert(1)</script>",
    b"--- lost 3 sched:sched_switch: ring buffer full ---",
    b"-rf",
    b"x" * 250,
]
HOSTILE = (*ESCAPES, *LINES, *UNICODE, *NOT_UTF8, *FORMATS)
assert len(HOSTILE) >= 100


# Printable by Unicode's categories, and yet not to be seen.
INVISIBLE = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u2800\u3164\uffa0\ufe0f\U000e0100"


def harmful(text: str) -> set[str]:
    """The characters that no terminal must get: controls, marks that reorder text, surrogates, line separators."""
    categories = ("Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn")
    return {each for each in text if unicodedata.category(each) in categories or each in INVISIBLE}
