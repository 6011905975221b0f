"""The program's commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from tpkit.cli.describe import describe
from tpkit.cli.doctor import doctor
from tpkit.cli.generate import generate
from tpkit.cli.lint import lint
from tpkit.cli.list import list_events
from tpkit.cli.show import write
from tpkit.cli.trace import trace
from tpkit.cli.verify import verify
from tpkit.version import __version__

app = typer.Typer(
    name="tpkit",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 done, 1 failed or nothing found, 2 wrong usage.",
)
app.command("list")(list_events)
app.command("describe")(describe)
app.command("trace")(trace)
app.command("verify", no_args_is_help=True)(verify)
app.command("generate")(generate)
app.command("lint")(lint)
app.command("doctor")(doctor)


def _show_version(wanted: bool) -> None:
    if wanted:
        write(f"tpkit {__version__}\n")
        raise typer.Exit


@app.callback()
def tpkit(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Find, understand and trace Linux kernel tracepoints."""
