"""``tpkit generate``: a program of your own for an event."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tpkit.cli import options
from tpkit.cli.list import open_catalog
from tpkit.cli.options import Section, Target
from tpkit.cli.show import say, write
from tpkit.errors import UsageError

if TYPE_CHECKING:
    from tpkit.catalog import Catalog
    from tpkit.codegen.generated import GeneratedFile
    from tpkit.program import ProbeSpec


def generate(
    events: options.Events,
    target: options.TargetOption = Target.BCC,
    output: options.OutputFolder = None,
    pid: options.Pids = None,
    comm: options.Comm = None,
    filters: options.Filters = None,
    string_size: options.StringSize = None,
    pair: options.Pair = False,
    portable: options.Portable = False,
    section: options.SectionForm = Section.TRACEPOINT,
    printk: options.Printk = False,
    force: options.Force = False,
    tracefs: options.TracefsFolder = None,
) -> None:
    """Write a program that traces these events: a BCC script, a libbpf folder or a bpftrace file.

    \b
    tpkit generate syscalls:sys_enter_unlinkat > trace_unlinkat.py
    tpkit generate syscalls:sys_enter_unlinkat --target libbpf -o unlinkat && make -C unlinkat
    tpkit generate sys_enter_unlinkat --target libbpf --printk --sec tp -o minimal
    tpkit generate sys_enter_unlinkat --target bpftrace --pair > unlinkat.bt
    tpkit generate --tracefs copy-of-another-machines-tracefs sched:sched_switch --target libbpf -o DIR

    The code is yours. Without -o one file goes to stdout; libbpf makes a folder.
    """
    from tpkit.cli.request import probe_spec  # heavy imports, which help needn't wait for

    _refuse_others_options(target, pair=pair, portable=portable, section=section, printk=printk)
    if target is not Target.BCC and filters:
        raise UsageError("filters are for --target bcc only, as yet", where="--filter")
    if target is Target.LIBBPF and output is None:
        raise UsageError("a libbpf program is several files", where="--target libbpf", remedy="give a folder: -o DIR")
    catalog = open_catalog(tracefs)
    names = _with_partners(events) if pair else events
    spec = probe_spec(catalog, names, pid, comm, string_size, filters=filters)
    make = _maker(target, catalog, pair=pair, portable=portable, section=section, printk=printk)
    _deliver(make(spec), output, target, force=force)


def _refuse_others_options(target: Target, *, pair: bool, portable: bool, section: Section, printk: bool) -> None:
    """An option without effect would be a promise that isn't kept."""
    given = {"--portable": portable, "--sec": section is not Section.TRACEPOINT, "--printk": printk}
    if target is not Target.LIBBPF and any(given.values()):
        name = next(name for name, is_given in given.items() if is_given)
        raise UsageError(f"{name} is for --target libbpf only", where=name)
    if target is not Target.BPFTRACE and pair:
        raise UsageError("--pair is for --target bpftrace only", where="--pair")


def _with_partners(names: Iterable[str]) -> list[str]:
    """Of each system call both events, whichever is named; ``unlinkat`` alone is a system call's name."""
    both: list[str] = []
    for name in names:
        if ":" in name and not name.startswith("syscalls:"):
            raise UsageError("only system calls have an entry and a return", where="--pair", remedy=f"without {name}")
        call = name.removeprefix("syscalls:").removeprefix("sys_enter_").removeprefix("sys_exit_")
        both += [f"syscalls:sys_enter_{call}", f"syscalls:sys_exit_{call}"]
    return list(dict.fromkeys(both))


def _maker(
    target: Target, catalog: Catalog, *, pair: bool, portable: bool, section: Section, printk: bool
) -> Callable[[ProbeSpec], tuple[GeneratedFile, ...]]:
    """What makes the files."""
    if target is Target.BCC:
        from tpkit.codegen.bcc_script import generate_bcc_script

        return generate_bcc_script
    if target is Target.BPFTRACE:
        from tpkit.codegen.bpftrace import generate_bpftrace

        return lambda spec: generate_bpftrace(spec, pair=pair)
    from tpkit.codegen.libbpf import LibbpfOptions, generate_libbpf
    from tpkit.codegen.libbpf_printk import generate_printk

    chosen = LibbpfOptions(portable=portable, short_section=section is Section.TP)
    make = generate_printk if printk else generate_libbpf
    return lambda spec: make(spec, catalog.btf(), chosen)


def _started(path: Path) -> str:
    """As a shell starts it: a name without a folder is looked for elsewhere."""
    return str(path) if len(path.parts) > 1 else f"./{path}"


def _deliver(files: tuple[GeneratedFile, ...], output: Path | None, target: Target, *, force: bool) -> None:
    if output is None:
        write(files[0].text)
        return
    from tpkit.sinks.folder import write_files

    for path in write_files(output, files, force=force):
        write(f"{path}\n")
    if target is Target.LIBBPF:
        program = _started(output / files[0].name.removesuffix(".bpf.c"))
        say(f"build it with: make -C {output}; run it with: sudo {program}")
    else:
        say(f"run it with: sudo {_started(output / files[0].name)}")
