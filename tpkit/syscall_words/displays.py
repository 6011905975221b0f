"""How arguments without names are shown: as addresses, bits, permissions. Most are decimal numbers.

Sources as in ``arguments``; what strace shows, where it could be either.
"""

from __future__ import annotations

from collections.abc import Mapping

from tpkit.model import Field, TracepointId
from tpkit.record import Display

_BY_DISPLAY: Mapping[Display, str] = {
    # Addresses by their meaning that are numbers by their type.
    Display.POINTER: (
        "Display.POINTER mmap.addr munmap.addr mremap.addr mremap.new_addr mprotect.start pkey_mprotect.start "
        "madvise.start mlock.start mlock2.start munlock.start msync.start mincore.start mbind.start mseal.start "
        "brk.brk remap_file_pages.start set_mempolicy_home_node.start get_mempolicy.addr map_shadow_stack.addr "
        "clone.newsp clone.tls arch_prctl.arg2 ioctl.arg ptrace.addr ptrace.data capget.header capget.dataptr "
        "capset.header capset.data prctl.arg2 prctl.arg3 prctl.arg4 prctl.arg5 keyctl.arg2 keyctl.arg3 "
        "keyctl.arg4 keyctl.arg5 shmat.shmaddr shmdt.shmaddr semctl.arg io_submit.ctx_id io_getevents.ctx_id "
        "io_pgetevents.ctx_id io_destroy.ctx io_cancel.ctx_id"
    ),
    Display.HEX: (
        "mmap.off mmap.flags mmap.prot ioctl.cmd msgget.key semget.key shmget.key rseq.sig rseq.rseq_len "
        "clone.clone_flags fcntl.cmd prctl.option"
    ),
    Display.OCTAL: "umask.mask",
}
_ARGUMENTS = {argument: display for display, arguments in _BY_DISPLAY.items() for argument in arguments.split()}


def argument_display(event: TracepointId, field: Field) -> Display | None:
    """How a system call's argument is shown if it has no name; None: as its type says."""
    if not event.is_syscall_enter:
        return None
    if field.type.base == "umode_t":
        return Display.OCTAL
    return _ARGUMENTS.get(f"{event.syscall}.{field.name}")


def all_displays() -> Mapping[str, Display]:
    """``mmap.addr`` and how it is shown, for each argument that is known."""
    return _ARGUMENTS
