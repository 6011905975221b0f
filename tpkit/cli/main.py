"""The program's commands, put together: those that are named, or all of them for help."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer

from tpkit.cli.show import write
from tpkit.version import __version__

# A command's name, where it lives, and what typer is told of it. One command's imports are nothing to the others.
COMMANDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "list": ("tpkit.cli.list", "list_events", {}),
    "describe": ("tpkit.cli.describe", "describe", {}),
    "trace": ("tpkit.cli.trace", "trace", {}),
    "verify": ("tpkit.cli.verify", "verify", {"no_args_is_help": True}),
    "generate": ("tpkit.cli.generate", "generate", {}),
    "lint": ("tpkit.cli.lint", "lint", {}),
    "doctor": ("tpkit.cli.doctor", "doctor", {}),
}


def make_app(arguments: Sequence[str] | None = None) -> typer.Typer:
    """The program as typer knows it: with the command that the arguments begin with, or with all."""
    words = sys.argv[1:] if arguments is None else arguments
    app = typer.Typer(
        name="tpkit",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Exit status: 0 done, 1 failed or nothing found, 2 wrong usage, 3 events lost (--on-loss=exit).",
        callback=tpkit,
    )
    for name in words[:1] if words and words[0] in COMMANDS else COMMANDS:
        module, function, told = COMMANDS[name]
        found = import_module(module)
        app.command(name, cls=getattr(found, "COMMAND_CLASS", None), **told)(getattr(found, function))
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        write(f"tpkit {__version__}\n")
        raise typer.Exit


def tpkit(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Find, understand and trace Linux kernel tracepoints."""
