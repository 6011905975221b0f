"""Every system call that the kernel has, in one program, as ``tpkit trace 'syscalls:*'`` loads it."""

from __future__ import annotations

from tests.matrix.context import Context
from tests.matrix.results import Result
from tpkit import BccRuntime, TpkitError, Tracefs
from tpkit.catalog import Catalog
from tpkit.discover import resolve_calls
from tpkit.program import DEFAULT_BUFFER_SIZE, DEFAULT_STRING_SIZE
from tpkit.program_store import ProgramStore, Wanted


def all_calls(_: Context) -> Result:
    """Compiled, accepted by the verifier, and given back."""
    catalog = Catalog.of(Tracefs.find())
    chosen = resolve_calls(set(catalog.ids()), ["syscalls:*"])
    program = ProgramStore(catalog, None).program(
        Wanted(chosen, follow=True, string_size=DEFAULT_STRING_SIZE, buffer_size=DEFAULT_BUFFER_SIZE)
    )
    cell = f"{len(program.layouts)} calls, {len(program.hooks)} functions"
    try:
        BccRuntime().load(program)
    except TpkitError as error:
        return Result.failed(cell, f"{error}: {(error.details or '')[-2000:]}")
    return Result.of(True, cell)
