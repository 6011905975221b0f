"""How long all format files of a tracefs take to parse: our grammar beside a plain regular expression.

``python -m bench.parse [--tracefs DIR]``. The expression only splits the lines that the grammar
understands, so it is a floor for any parser in Python. Best of five, each with cold caches.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable
from pathlib import Path

from tpkit import Tracefs, format_parser
from tpkit.model import TracepointId

_FIELD = re.compile(
    r"^\tfield:(?P<declaration>[^;]+);\toffset:(?P<offset>\d+);\tsize:(?P<size>\d+);(?:\tsigned:(?P<signed>[01]);)?$",
    re.MULTILINE,
)

Texts = list[tuple[TracepointId, str]]


def with_grammar(texts: Texts) -> int:
    for cache in (format_parser._parse_line, format_parser._read_block, format_parser._read_type):
        cache.cache_clear()
    return sum(
        len(event.common_fields) + len(event.fields)
        for event in (format_parser.parse_event(text, name) for name, text in texts)
    )


def with_expression(texts: Texts) -> int:
    return sum(len([match.groupdict() for match in _FIELD.finditer(text)]) for _, text in texts)


def best_of_five(parse: Callable[[Texts], int], texts: Texts) -> tuple[int, float]:
    times = []
    for _ in range(5):
        started = time.perf_counter()
        fields = parse(texts)
        times.append(time.perf_counter() - started)
    return fields, min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracefs", type=Path)
    folder = parser.parse_args().tracefs
    tree = Tracefs.find() if folder is None else Tracefs.captured_tree(folder)
    texts = [(event, tree.format_text(event)) for event in tree.event_ids()]
    fields, ours = best_of_five(with_grammar, texts)
    lines, floor = best_of_five(with_expression, texts)
    print(f"{len(texts)} files, {fields} fields: grammar {ours:.3f} s, plain re {floor:.3f} s ({lines} fields)")
    print(f"ratio {ours / floor:.1f}")


if __name__ == "__main__":
    main()
