"""The trace engine's own programs, with all that can be asked of them: would this kernel's verifier take them?"""

from __future__ import annotations

from functools import partial

from tests.matrix.context import Context
from tests.matrix.results import Result
from tpkit import BccRuntime, TpkitError, Tracefs
from tpkit.catalog import Catalog
from tpkit.discover import Chosen, resolve_calls
from tpkit.program import DEFAULT_BUFFER_SIZE, DEFAULT_STRING_SIZE
from tpkit.program_store import ProgramStore, Wanted


def wanted(catalog: Catalog) -> dict[str, Wanted]:
    """The programs, by what each stands for."""

    def chosen(names: str) -> Chosen:
        return resolve_calls(set(catalog.ids()), names.split())

    usual = partial(Wanted, string_size=DEFAULT_STRING_SIZE, buffer_size=DEFAULT_BUFFER_SIZE)
    return {
        # Linux 5.10 refused these four once: a length was compared when a copy of it was on the stack already.
        "filters of strings": usual(
            chosen("execve fsetxattr utime utimes"),
            filters=('execve: filename ~ "*/sh"', 'fsetxattr: name ~ "*a*b?c*" && ret < 0', 'utime*: filename ~ "/a*"'),
        ),
        # And process_vm_writev's entry, in the form that many events share: for branches that contradict each other.
        "many events": usual(
            chosen("sys_enter_process_vm_* sys_enter_mount sys_enter_*sendm* sys_enter_move_* sched_process_exec"),
        ),
        "pieces of memory": Wanted(
            chosen("readv writev sendmsg recvmsg vmsplice process_vm_readv process_vm_writev sys_enter_sendmsg"),
            string_size=4096,
            buffer_size=4096,
        ),
        "options": usual(
            chosen("openat read connect"),
            tids=(4242, 4243),
            uid=1000,
            comm=b"nobody's",
            cgroup=True,
            failed=True,
            min_latency=1000,
        ),
        "following": Wanted(
            chosen("openat execveat clone3 getcwd exit_group"), follow=True, string_size=100, buffer_size=1000
        ),
    }


def engine(_: Context) -> Result:
    """All programs, loaded and given back."""
    catalog = Catalog.of(Tracefs.find())
    programs = wanted(catalog)
    refused = [f"{title}: {word}" for title, each in programs.items() for word in _refused(each, catalog)]
    return Result.of(not refused, f"{len(programs) - len(refused)}/{len(programs)}", *refused)


def _refused(each: Wanted, catalog: Catalog) -> list[str]:
    try:
        BccRuntime().load(ProgramStore(catalog, None).program(each))
    except TpkitError as error:
        return [f"{error}: {(error.details or '')[-600:]}"]
    return []
