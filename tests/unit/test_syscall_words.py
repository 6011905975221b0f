"""Names for system calls' arguments: against Python's own constants, by example, and made by the generator."""

from __future__ import annotations

import fcntl
import mmap
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tpkit.decode.structs import dependent as structs
from tpkit.decode.tables import name_of
from tpkit.model import CType, Field, SymbolTable, TracepointId
from tpkit.record import Display
from tpkit.syscall_words import argument_table
from tpkit.syscall_words import dependent as dependent_module
from tpkit.syscall_words.arguments import all_arguments
from tpkit.syscall_words.dependent import deciding_arguments, dependent_groups, dependent_table, option_name
from tpkit.syscall_words.layouts import OWN as OWN_STRUCTS
from tpkit.syscall_words.layouts import STRUCTS
from tpkit.syscall_words.names import BASES, FLAGS, MASKS, NAMES, OWN
from tpkit.syscall_words.results import result_display, result_groups, result_table

# Groups that are for members of structs alone.
IN_STRUCTS = {
    *(shown for name in (STRUCTS, *OWN_STRUCTS.values()) for _, _, members in name.values() for *_, shown in members),
    *"file_type special_time handler sender trace_event capability child_code fault_code bus_code".split(),
    *"instruction_code arithmetic_code trap_code poll_code call_code filter_action".split(),
} & set(NAMES)

GENERATOR = Path(__file__).parents[2] / "tools" / "syscall-tables"


def table(argument: str, ctype: str, machine: str = "x86_64") -> SymbolTable | None:
    """``openat.flags`` of a type."""
    syscall, name = argument.split(".")
    field = Field(name, CType(ctype, ctype), offset=24, size=8, signed=False)
    return argument_table(TracepointId("syscalls", f"sys_enter_{syscall}"), field, machine)


@pytest.mark.parametrize(
    ("argument", "ctype", "number", "words"),
    [
        ("openat.dfd", "int", -100, "AT_FDCWD"),
        ("openat.dfd", "int", 3, None),
        ("openat.flags", "int", 0, "O_RDONLY"),
        ("openat.flags", "int", 0o2101, "O_WRONLY|O_CREAT|O_APPEND"),
        ("openat.flags", "int", 0o4010002, "O_RDWR|O_SYNC"),
        ("openat.flags", "int", 0o20200002, "O_RDWR|O_TMPFILE"),
        ("openat.flags", "int", 0x40000000, "O_RDONLY|0x40000000"),
        ("openat.flags", "int", -0x80000000, "O_RDONLY|0x80000000"),
        ("access.mode", "int", 0, "F_OK"),
        ("mknod.mode", "umode_t", 0o020644, "S_IFCHR|0644"),
        ("mknod.mode", "umode_t", 0o644, None),
        ("shmget.shmflg", "int", 0o1600, "IPC_CREAT|0600"),
        ("access.mode", "int", 6, "W_OK|R_OK"),
        ("mmap.prot", "unsigned long", 0, "PROT_NONE"),
        ("mmap.prot", "unsigned long", 3, "PROT_READ|PROT_WRITE"),
        ("mmap.flags", "unsigned long", 0x22, "MAP_PRIVATE|MAP_ANONYMOUS"),
        ("mmap.flags", "unsigned long", 0x54040022, "MAP_PRIVATE|MAP_ANONYMOUS|MAP_HUGETLB|MAP_HUGE_2MB"),
        ("mmap.flags", "unsigned long", 0x2A, "MAP_ANONYMOUS|0xa"),
        ("madvise.behavior", "int", 0, "MADV_NORMAL"),
        ("socket.type", "int", 0x80805, "SOCK_SEQPACKET|SOCK_NONBLOCK|SOCK_CLOEXEC"),
        ("socket.type", "int", 0x80007, "SOCK_CLOEXEC|0x7"),
        ("futex.op", "int", 0x189, "FUTEX_WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME"),
        ("futex.op", "int", 0, "FUTEX_WAIT"),
        ("clone.clone_flags", "unsigned long", 0x01200011, "SIGCHLD|CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID"),
        ("clone.clone_flags", "unsigned long", 0, None),
        ("wait4.options", "int", -0x80000000, "__WCLONE"),
        ("kill.sig", "int", 34, "SIGRT_2"),
        ("kill.sig", "int", 0, None),
        ("rseq.sig", "u32", 9, None),
        ("clock_gettime.which_clock", "clockid_t", 7, "CLOCK_BOOTTIME"),
        ("chown.user", "uid_t", 2**32 - 1, "-1"),
        ("reboot.magic1", "int", 0xFEE1DEAD - 2**32, "LINUX_REBOOT_MAGIC1"),
        ("quotactl.cmd", "unsigned int", 0x80000401, "QCMD(Q_GETFMT, GRPQUOTA)"),
        ("ioprio_set.ioprio", "int", 0x4004, "IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 4)"),
        ("ioctl.cmd", "unsigned int", 0x40049409, "BTRFS_IOC_CLONE or FICLONE"),
        ("statx.mask", "unsigned int", 0x1FFF, "STATX_ALL|STATX_MNT_ID"),
        ("personality.personality", "unsigned int", 0xFFFFFFFF, "0xffffffff"),
        ("personality.personality", "unsigned int", 0x40000, "PER_LINUX|ADDR_NO_RANDOMIZE"),
        (
            "io_uring_register.opcode",
            "unsigned int",
            0x80000001,
            "IORING_UNREGISTER_BUFFERS|IORING_REGISTER_USE_REGISTERED_RING",
        ),
    ],
)
def test_words(argument: str, ctype: str, number: int, words: str | None) -> None:
    found = table(argument, ctype)
    width = {"int": 0xFFFF_FFFF}.get(ctype, -1)  # flags are asked for as they are in memory
    assert (found and name_of(found, number & width if found.delimiter else number)) == words


def test_a_signal_is_by_its_name_and_type() -> None:
    assert table("whatever.sig", "int") is not None
    assert table("whatever.sig", "u32") is None
    assert table("read.count", "size_t") is None


def test_only_entries_of_system_calls_have_names() -> None:
    field = Field("dfd", CType("int", "int"), 24, 8, False)
    for event in ("syscalls:sys_exit_openat", "sched:sched_switch"):
        assert argument_table(TracepointId.parse(event), field) is None
    pointer = Field("flags", CType("int *", "int", pointers=1), 24, 8, False)
    assert argument_table(TracepointId("syscalls", "sys_enter_openat"), pointer) is None


def test_machines_differ() -> None:
    told = {machine: table("openat.flags", "int", machine) for machine in OWN}
    directory = {machine: name_of(each, 0o40000) for machine, each in told.items() if each is not None}
    assert directory["aarch64"] == "O_RDONLY|O_DIRECTORY"
    assert directory["x86_64"] == directory["riscv64"] == directory["loongarch64"] == "O_RDONLY|O_DIRECT"
    assert table("arch_prctl.option", "int") is not None
    assert table("arch_prctl.option", "int", "aarch64") is None
    assert table("openat.flags", "int", "pdp11") is None


def test_values_are_pythons() -> None:
    """What Python's modules call the same; they were made from the C library's headers of this machine."""
    machine = os.uname().machine
    if machine not in OWN:
        pytest.skip(f"no names for {machine}")
    modules = (os, signal, socket, mmap, select, fcntl, resource, time)
    own = {group: names + OWN[machine].get(group, ()) for group, names in NAMES.items()}
    compared = {
        name: (number, int(getattr(module, name)))
        for names in own.values()
        for number, name in names
        for module in modules
        if hasattr(module, name)
    }
    different = {name for name, (ours, theirs) in compared.items() if (ours - theirs) % 2**32}
    # The C library opens large files anyway, and keeps the first two real-time signals for itself.
    assert different <= {"O_LARGEFILE", "SIGRTMIN"}
    assert len(compared) > 200


def test_every_group_is_used_and_known() -> None:
    used = {*all_arguments().values(), *dependent_groups(), *result_groups(), *IN_STRUCTS}
    used |= {"directory", "signal", "clock", "none"}
    assert used | set(BASES.values()) == {*NAMES, "none"}
    assert set(BASES) <= FLAGS
    assert set(MASKS) >= set(BASES.values())
    assert not FLAGS & set(MASKS)


@pytest.mark.parametrize("machine", OWN)
def test_tables_are_in_order(machine: str) -> None:
    """Each flag comes before those that have some of its bits; values within a mask; all of it plain text."""
    for argument in all_arguments():
        found = table(argument, "unsigned long", machine)
        while found is not None:
            numbers = [number for number, _ in found.symbols]
            assert len(set(numbers)) == len(numbers), argument
            assert all(name.isascii() and name.isprintable() and '"' not in name for _, name in found.symbols)
            if found.delimiter is not None:
                assert 0 not in numbers, argument
                for index, later in enumerate(numbers):
                    assert not any(later & earlier == earlier for earlier in numbers[:index]), argument
            elif found.mask is not None:
                assert all(number & found.mask == number for number in numbers), argument
            found = found.base


def test_base_is_shown_first_and_only_where_it_has_a_name() -> None:
    colours = SymbolTable(None, ((0, "RED"), (1, "BLUE")), mask=3)
    found = SymbolTable("|", ((4, "BRIGHT"), (2, "TWO")), base=colours)
    assert [name_of(found, number) for number in (0, 4, 5, 6, 8)] == [
        "RED", "RED|BRIGHT", "BLUE|BRIGHT", "BRIGHT|TWO", "RED|0x8",
    ]  # fmt: skip
    nothing = SymbolTable("|", ((4, "BRIGHT"),), base=SymbolTable(None, ((0, "NONE"),)))
    assert [name_of(nothing, number) for number in (0, 4, 1)] == ["NONE", "BRIGHT", None]


def dependent(
    argument: str, ctype: str, others: dict[str, int], machine: str = "x86_64"
) -> SymbolTable | None:
    syscall, name = argument.split(".")
    field = Field(name, CType(ctype, ctype), offset=24, size=8, signed=False)
    return dependent_table(TracepointId("syscalls", f"sys_enter_{syscall}"), field, others, machine)


@pytest.mark.parametrize(
    ("argument", "ctype", "others", "number", "words"),
    [
        ("fcntl.arg", "unsigned long", {"cmd": 2}, 1, "FD_CLOEXEC"),
        ("fcntl.arg", "unsigned long", {"cmd": 4}, 0o4002, "O_RDWR|O_NONBLOCK"),
        ("fcntl.arg", "unsigned long", {"cmd": 1033}, 6, "F_SEAL_SHRINK|F_SEAL_GROW"),
        ("fcntl.arg", "unsigned long", {"cmd": 1030}, 10, None),
        ("fcntl.arg", "unsigned long", {}, 1, None),
        ("socket.protocol", "int", {"family": 2}, 6, "IPPROTO_TCP"),
        ("socket.protocol", "int", {"family": 16}, 0, "NETLINK_ROUTE"),
        ("socket.protocol", "int", {"family": 17}, 0x0300, "htons(ETH_P_ALL)"),
        ("socket.protocol", "int", {"family": 1}, 0, None),
        ("setsockopt.optname", "int", {"level": 1}, 2, "SO_REUSEADDR"),
        ("getsockopt.optname", "int", {"level": 6}, 1, "TCP_NODELAY"),
        ("setsockopt.optname", "int", {"level": 12345}, 2, None),
        ("prctl.arg2", "unsigned long", {"option": 1}, 9, "SIGKILL"),
        ("prctl.arg2", "unsigned long", {"option": 47}, 2, "PR_CAP_AMBIENT_RAISE"),
        ("prctl.arg3", "unsigned long", {"option": 47, "arg2": 2}, 21, "CAP_SYS_ADMIN"),
        ("prctl.arg3", "unsigned long", {"option": 47, "arg2": 4}, 0, None),
        ("prctl.arg3", "unsigned long", {"option": 22, "arg2": 2}, 0, None),
        ("prctl.arg2", "unsigned long", {"option": 0x59616D61}, 2**64 - 1, "PR_SET_PTRACER_ANY"),
        ("ptrace.data", "unsigned long", {"request": 0x4200}, 0x100001, "PTRACE_O_TRACESYSGOOD|PTRACE_O_EXITKILL"),
        ("futex.val3", "u32", {"op": 0x189}, 0xFFFFFFFF, "FUTEX_BITSET_MATCH_ANY"),
        ("keyctl.arg2", "unsigned long", {"option": 0}, 2**64 - 3, "KEY_SPEC_SESSION_KEYRING"),
    ],
)
def test_words_that_depend_on_another_argument(
    argument: str, ctype: str, others: dict[str, int], number: int, words: str | None
) -> None:
    found = dependent(argument, ctype, others)
    assert (found and name_of(found, number)) == words


def test_what_decides() -> None:
    field = Field("arg", CType("unsigned long", "unsigned long"), 24, 8, False)
    assert deciding_arguments(TracepointId("syscalls", "sys_enter_fcntl"), field) == ("cmd",)
    assert deciding_arguments(TracepointId("syscalls", "sys_enter_ioctl"), field) == ()
    assert dependent("fcntl.arg", "unsigned long", {"cmd": 2}, "pdp11") is None
    assert option_name(41, 26) == "IPV6_V6ONLY"
    assert option_name(41, 9999) is None


def test_every_deciding_value_has_a_number() -> None:
    """A misspelt name would never be met."""
    everywhere = (*NAMES.values(), *(names for own in OWN.values() for names in own.values()))
    known = {name for names in everywhere for _, name in names}
    for values in (dependent_module._DEPENDENT, dependent_module._RESULTS):
        for _, groups in values.values():
            assert {word for name in groups for word in name.split()} <= known
    commands = {name: value for name, value in vars(structs).items() if name.isupper()}
    for shapes in commands.keys() - {"_BY_KIND", "_SHOWN", "_WAITS"}:
        assert set(commands[shapes]) <= {word for name in known for word in name.split(" or ")}
    assert known >= structs._WAITS - {"FUTEX_WAIT_REQUEUE_PI", "FUTEX_LOCK_PI2"}


def test_results() -> None:
    assert result_display("mmap") is Display.POINTER
    assert result_display("umask") is Display.OCTAL
    assert result_display("getpid") is Display.ERROR
    told = [
        result_table("fcntl", {"cmd": 3}),
        result_table("fcntl", {"cmd": 1}),
        result_table("personality", {}),
        result_table("ioprio_get", {}),
        result_table("read", {}),
        result_table("fcntl", {"cmd": 0}),
        result_table("fcntl", {}),
        result_table("personality", {}, "pdp11"),
    ]
    numbers = (0o2002, 1, 0x40000, 0x4004, 5, 5, 5, 5)
    assert [found and name_of(found, number) for found, number in zip(told, numbers, strict=True)] == [
        "O_RDWR|O_APPEND", "FD_CLOEXEC", "PER_LINUX|ADDR_NO_RANDOMIZE", "IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 4)",
        None, None, None, None,
    ]  # fmt: skip


def test_names_are_loaded_when_they_are_needed() -> None:
    program = "import sys, tpkit.codegen.columns; sys.exit('tpkit.syscall_words.names' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# ------------------------------------------------------------------------------------------ the generator

DECLARATION = r"""
[machines.x86_64]
folder = "one"
macros = ["__x86_64__"]

[machines.other]
folder = "two"
macros = ["__other__"]

[groups.colour]
flags = 'COLOUR_\w+'
without = 'COLOUR_MASK'
headers = ["linux/colour.h"]
base = "shade"

[groups.shade]
values = 'SHADE_\w+'
as = 'enum shade'
headers = ["linux/colour.h"]
mask = "COLOUR_MASK"

[groups.order]
aliases = true
values = '[A-Z]\w+'
as = '_IO\(.*'
forms = [["{}(0)", "{}"], ["{}(1)", "{} + 1"]]
headers = ["linux/colour.h"]

[structs.paint]
type = "struct paint"
headers = ["linux/colour.h"]
members = ["shade=inner.shade shade", "text text", "where address", "own"]
rest = true
"""
COLOUR = """
#include <asm/own.h>
#define _IO(n) (0x5400 | (n))
#define COLOUR_MASK 3
#define COLOUR_DARK (1 << 4)
#define COLOUR_TEXT "no number"
#define COLOUR_CALL(x) x
#define COLOUR_GONE 8
#undef COLOUR_GONE
#define PAINT _IO(2)
#define RENAMED _IO(2)
enum shade { SHADE_NONE, SHADE_HALF /* SHADE_COMMENT, */, SHADE_FULL = COLOUR_MASK };
enum other { SHADE_OTHER = 9 };
struct paint {
    struct { int shade; } inner;
    char text[5];
    void *where;
#ifdef COLOUR_WIDE
    unsigned long long own;
#else
    short own;
#endif
};
"""


@pytest.fixture
def headers(tmp_path: Path) -> Path:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler here")
    for name, text in {
        "linux/version.h": "#define LINUX_VERSION_CODE 459277",
        "linux/colour.h": COLOUR,
        "one/asm/own.h": "#define COLOUR_OWN 32",
        "two/asm/own.h": "#ifdef __x86_64__\n#error\n#endif\n#define COLOUR_OWN 64\n#define COLOUR_WIDE",
    }.items():
        file = tmp_path / "usr" / "include" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def generated(headers: Path, declaration: str = DECLARATION) -> tuple[list[str], str]:
    """The modules, and what is said about them."""
    declared, modules = headers / "groups.toml", [headers / "names.py", headers / "layouts.py"]
    declared.write_text(declaration)
    for module in modules:
        module.unlink(missing_ok=True)
    words = [str(each) for each in (GENERATOR, "--headers", headers, "--declaration", declared, "-o", headers)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, timeout=120)
    return [each.read_text() for each in modules] if done.returncode == 0 else [], done.stderr


def defined(module: str) -> dict[str, object]:
    found: dict[str, object] = {}
    exec(compile(module, "made", "exec"), found)  # noqa: S102
    return found


def test_generator(headers: Path) -> None:
    (names, layouts), said = generated(headers)
    assert "from the uapi headers of Linux 7.2;" in names
    found = defined(names)
    assert found["FLAGS"] == {"colour"}
    assert found["BASES"] == {"colour": "shade"}
    assert found["MASKS"] == {"shade": 3}
    assert found["NAMES"] == {
        "colour": ((16, "COLOUR_DARK"),),
        "order": ((0x5402, "PAINT(0) or RENAMED(0)"), (0x5403, "PAINT(1) or RENAMED(1)")),
        "shade": ((0, "SHADE_NONE"), (1, "SHADE_HALF"), (3, "SHADE_FULL")),
    }
    assert found["OWN"] == {"x86_64": {"colour": ((32, "COLOUR_OWN"),)}, "other": {"colour": ((64, "COLOUR_OWN"),)}}
    assert "left out, being no numbers: COLOUR_TEXT" in said
    members = (("shade", 0, 4, True, "shade"), ("text", 4, 5, False, "text"), ("where", 16, 8, False, "address"))
    assert defined(layouts)["STRUCTS"] == {}
    assert defined(layouts)["OWN"] == {
        "x86_64": {"paint": (32, True, (*members, ("own", 24, 2, True, "")))},
        "other": {"paint": (32, True, (*members, ("own", 24, 8, False, "")))},
    }
    assert generated(headers)[0] == [names, layouts]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("aliases = true", ""), "PAINT(0) = RENAMED(0)"),
        (("SHADE_\\w+", "NOTHING"), "no names in the headers for shade"),
        (("linux/colour.h", "linux/nowhere.h"), "No such file"),
        (('"COLOUR_MASK"', '"1"'), "not within their group's mask: SHADE_FULL"),
        (('folder = "two"', 'folder = "three"'), "has no three/asm"),
        (("own", "gone"), "paint: struct paint has no gone"),
    ],
)
def test_generator_refuses(headers: Path, change: tuple[str, str], complaint: str) -> None:
    modules, said = generated(headers, DECLARATION.replace(*change))
    assert not modules
    assert complaint in said
