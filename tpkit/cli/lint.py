"""``tpkit lint``: which format files tpkit can't read, and what it can't evaluate."""

from __future__ import annotations

import json
import time
from itertools import count
from typing import TYPE_CHECKING

import typer

from tpkit.cli import options
from tpkit.cli.progress import Progress
from tpkit.cli.show import write

if TYPE_CHECKING:
    from tpkit.lint import Failure, Findings, Summary, Verdict


def lint(
    paths: options.FormatPaths,
    verbose: options.Unevaluable = False,
    json_report: options.JsonReport = False,
) -> None:
    """Parse all format files below folders, and say what is wrong with them.

    \b
    tpkit lint /sys/kernel/tracing             the running kernel's
    tpkit lint captures/pixel-9 captures/rpi   copies of other machines' events/
    tpkit lint -v some/format                  one file, and what in it no record can answer

    Exit status: 0 all could be read, 1 some couldn't, 2 no such path, or no format file there.
    """
    from tpkit.lint import find, lint_all  # pyparsing: 30 ms that other commands needn't pay

    started = time.monotonic()
    found = find(paths)
    progress = Progress(len(found.files), "files")
    done = count(1)

    def seen(verdict: Verdict) -> None:
        text = "" if json_report else "".join(map(_failure_text, verdict.failures))
        if verbose and not json_report:
            text += _doubts_text(verdict)
        if text:
            progress.clear()
            write(text)
        progress.step(next(done))

    if not json_report and found.failures:
        write("".join(map(_failure_text, found.failures)))
    summary = lint_all(found, seen)
    progress.clear()
    seconds = time.monotonic() - started
    write(_json(summary, found, seconds) if json_report else _summary_text(summary, found, seconds))
    if summary.failures:
        raise typer.Exit(1)


def _path_text(path: str) -> str:
    from tpkit.decode.text import plain

    return plain(path.encode("utf-8", "surrogateescape"))


def _failure_text(failure: Failure) -> str:
    """``path:line:column: message``, as compilers write it, with the line below."""
    from tpkit.decode.text import safe

    place = f":{failure.line}:{failure.column}" if failure.line else ""
    excerpt = f"{safe(failure.excerpt)}\n" if failure.excerpt else ""
    return f"{_path_text(failure.path)}{place}: {safe(failure.message)}\n{excerpt}"


def _doubts_text(verdict: Verdict) -> str:
    from tpkit.decode.text import plain

    path = _path_text(verdict.path)
    lines = [f"{path}: {plain(d.source.encode('utf-8', 'surrogateescape'))}: {d.reason}\n" for d in verdict.doubts]
    return "".join(lines)


def _summary_text(summary: Summary, found: Findings, seconds: float) -> str:
    numbers = [
        _many(summary.field_errors, "field error"),
        _many(summary.print_fmt_errors, "print fmt error"),
        f"{summary.unreadable} unreadable",
        f"{summary.unevaluable} with parts that can't be evaluated",
    ]
    if found.links:
        numbers.append(f"{_many(found.links, 'symbolic link')} not followed")
    return f"{_many(summary.files, 'file')} in {seconds:.2f} s: {', '.join(numbers)}\n"


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _json(summary: Summary, found: Findings, seconds: float) -> str:
    """The whole report as one object on one line."""
    report = {
        "files": summary.files,
        "field_errors": summary.field_errors,
        "print_fmt_errors": summary.print_fmt_errors,
        "unevaluable": summary.unevaluable,
        "seconds": round(seconds, 3),
        "failures": [_failure_object(failure) for failure in summary.failures],
        "unreadable": summary.unreadable,
        "unevaluable_reasons": summary.reasons,
        "links_not_followed": found.links,
    }
    return json.dumps(report) + "\n"


def _failure_object(failure: Failure) -> dict[str, str | int]:
    """A failure; a path that isn't UTF-8 is there in hexadecimal too, so that it can be had back."""
    from tpkit.decode.text import json_text

    path, in_hex = json_text(failure.path.encode("utf-8", "surrogateescape"))
    message, _ = json_text(failure.message.encode("utf-8", "surrogateescape"))
    found: dict[str, str | int] = {"path": path, "line": failure.line, "column": failure.column, "message": message}
    found["part"] = failure.part.value
    if in_hex:
        found["path_hex"] = in_hex
    return found
