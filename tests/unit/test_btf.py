"""BTF: look-ups by name, types by id, and the struct behind a tracepoint, on blobs that are built here."""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tpkit.btf import (
    Btf,
    BtfError,
    BtfMember,
    BtfStruct,
    BtfType,
    Kind,
    context_struct,
    load_btf,
    load_kernel_btf,
)
from tpkit.btf import load as load_module
from tpkit.model import CType, EventFormat, Field, Location, TracepointId
from tpkit.runtime.alone import alone_functions, may_be_interrupted

KERNEL_BTF = Path("/sys/kernel/btf/vmlinux")


class Maker:
    """Builds BTF, type by type; each method returns the new type's id."""

    def __init__(self, order: str = "<", base: Maker | None = None) -> None:
        self.order = order
        self.strings = b"" if base else b"\0"
        self.string_start: int = base.string_start + len(base.strings) if base else 0
        self.types = b""
        self.last: int = base.last if base else 0

    def name(self, text: str) -> int:
        if not text:
            return 0
        at = (b"\0" + self.strings).find(b"\0" + text.encode() + b"\0")
        if at < 0:
            at = len(self.strings)
            self.strings += text.encode() + b"\0"
        return self.string_start + at

    def words(self, *words: int) -> bytes:
        return struct.pack(f"{self.order}{len(words)}I", *(word & 0xFFFFFFFF for word in words))

    def add(
        self,
        kind: int,
        name: str = "",
        value: int = 0,
        *,
        body: Iterable[int] = (),
        vlen: int = 0,
        flag: bool = False,
    ) -> int:
        self.types += self.words(self.name(name), kind << 24 | vlen | flag << 31, value, *body)
        self.last += 1
        return self.last

    def integer(self, name: str, size: int, *, signed: bool = False) -> int:
        return self.add(Kind.INT, name, size, body=[signed << 24 | size * 8])

    def array(self, element: int, length: int) -> int:
        return self.add(Kind.ARRAY, body=[element, 1, length])

    def struct(self, name: str, size: int, *members: tuple[str, int, int], flag: bool = False) -> int:
        body = [word for text, type_id, bits in members for word in (self.name(text), type_id, bits)]
        return self.add(Kind.STRUCT, name, size, body=body, vlen=len(members), flag=flag)

    def enum(self, name: str, values: dict[str, int], *, signed: bool = False) -> int:
        body = [word for text, value in values.items() for word in (self.name(text), value)]
        return self.add(Kind.ENUM, name, 4, body=body, vlen=len(values), flag=signed)

    def enum64(self, name: str, values: dict[str, int], *, signed: bool = False) -> int:
        body = [word for text, value in values.items() for word in (self.name(text), value, value >> 32)]
        return self.add(Kind.ENUM64, name, 8, body=body, vlen=len(values), flag=signed)

    def function(self, result: int, *parameters: tuple[str, int]) -> int:
        body = [word for text, type_id in parameters for word in (self.name(text), type_id)]
        return self.add(Kind.FUNC_PROTO, value=result, body=body, vlen=len(parameters))

    def blob(self, layout: bytes = b"") -> bytes:
        strings = self.strings or b"\0"
        spans = [0, len(self.types), len(self.types), len(strings)]
        if layout:
            spans += [len(self.types) + len(strings), len(layout)]
        header = struct.pack(f"{self.order}HBBI{len(spans)}I", 0xEB9F, 1, 0, 8 + 4 * len(spans), *spans)
        return header + self.types + strings + layout

    def btf(self, base: Btf | None = None) -> Btf:
        return Btf.from_bytes(self.blob(), base)


def small_kernel(order: str = "<", *, skew: int = 0) -> Maker:
    """A kernel with a few types. skew: bytes by which syscall_tp_t differs from the format files."""
    make = Maker(order)
    integer = make.integer("int", 4, signed=True)
    long = make.integer("long unsigned int", 8)
    char = make.integer("char", 1, signed=True)
    make.add(Kind.TYPEDEF, "pid_t", make.add(Kind.TYPEDEF, "__kernel_pid_t", integer))
    make.integer("short unsigned int", 2)
    make.integer("_Bool", 1)
    comm = make.array(char, 16)
    entry = make.struct("trace_entry", 8, ("type", integer, 0), ("pid", integer, 32))
    header, data = ("ent", entry, 0), ("__data", make.array(char, 0), 128)
    make.struct(
        "trace_event_raw_open", 16, header, ("name", integer, 64), ("__data_loc_path", integer, 96), data
    )
    make.struct("trace_event_raw_wake_template", 28, header, ("comm", comm, 64), ("pid", integer, 192), data)
    make.struct("not_raw", 16, header, ("name", integer, 64))
    args, bits = make.array(long, 6), 128 + skew * 8
    make.struct("trace_event_raw_sys_enter", 64, header, ("id", long, 64), ("args", args, bits), data)
    make.struct("syscall_trace_enter", 16, header, ("nr", integer, 64), ("args", args, 128))
    make.struct("syscall_tp_t", 24, header, ("syscall_nr", integer, 64), ("ret", long, 128))
    make.struct("syscall_tp_t", 64, header, ("syscall_nr", long, 64), ("args", args, bits))
    make.struct("syscall_trace_exit", 24, header, ("nr", integer, 64), ("ret", long, 128))
    make.enum("", {"TASK_COMM_LEN": 16})
    make.enum("req_op", {})
    make.enum("req_op", {"REQ_OP_READ": 0, "REQ_OP_WRITE": 1, "REQ_OP_TOP": 0x80000000})
    make.enum("signs", {"SIGN_MINUS": -1, "SIGN_PLUS": 1}, signed=True)
    make.enum64("wide", {"WIDE_LOW": 5, "WIDE_TOP": 1 << 63})
    make.enum64("wide_signed", {"WIDE_MINUS": -2}, signed=True)
    return make


def field(name: str, offset: int, size: int = 4, location: Location = Location.IN_RECORD) -> Field:
    return Field(name, CType("int", "int", location=location), offset, size, signed=False)


def event(name: str, *fields: Field) -> EventFormat:
    return EventFormat(TracepointId.parse(name), 1, (), fields)


@pytest.fixture(params=["<", ">"], ids=["little", "big"])
def btf(request: pytest.FixtureRequest) -> Btf:
    return small_kernel(request.param).btf()


# ----------------------------------------------------------------------------------- by name


def test_struct_has_members_in_order(btf: Btf) -> None:
    found = btf.struct("trace_entry")
    assert found == BtfStruct("trace_entry", 8, (BtfMember("type", 1, 0), BtfMember("pid", 1, 32)))
    assert found
    assert [each.offset for each in found.members] == [0, 4]
    assert found.member("pid") == BtfMember("pid", 1, 32)
    assert found.member("tgid") is None


@pytest.mark.parametrize(
    "name", ["", "no_such", "trace_entr", "ent", "int", "req_op", "trace_entry\0type", "é"]
)
def test_no_struct_of_this_name(btf: Btf, name: str) -> None:
    assert btf.struct(name) is None


def test_all_structs_of_one_name(btf: Btf) -> None:
    assert [each.size for each in btf.structs("syscall_tp_t")] == [24, 64]


def test_bit_fields() -> None:
    make = Maker()
    make.struct(
        "bits", 4, ("a", make.integer("int", 4), 3 << 24), ("b", 1, 5 << 24 | 3), ("c", 1, 16), flag=True
    )
    found = make.btf().struct("bits")
    assert found
    assert [(m.bit_offset, m.bit_size) for m in found.members] == [(0, 3), (3, 5), (16, 0)]


def test_struct_isn_t_mistaken_for_an_enumerator() -> None:
    """An enumerator of the struct's name, whose value looks like the info word of a struct."""
    make = Maker()
    make.enum("flags", {"foo": Kind.STRUCT << 24, "foo_end": 7})
    make.enum("others", {"foo": Kind.STRUCT << 24 | 1, "x": 0x7FFFFFFF, "y": 3})
    make.struct("foo", 4, ("a", 1, 0))
    assert make.btf().struct("foo") == BtfStruct("foo", 4, (BtfMember("a", 1, 0),))


def test_name_across_words_hides_none() -> None:
    """The offset's bytes may also stand unaligned, just in front of the place that counts."""
    make = Maker()
    make.strings += b"x" * (0x0101 - len(make.strings) - 1) + b"\0"
    make.add(Kind.PTR, value=0x01000000)
    make.struct("wanted", 4, ("a", 1, 0))
    assert make.btf().struct("wanted") is not None


def test_raw_event_structs(btf: Btf) -> None:
    names = [each.name for each in btf.raw_event_structs()]
    assert names == ["trace_event_raw_open", "trace_event_raw_wake_template", "trace_event_raw_sys_enter"]
    assert [each.name for each in btf.raw_event_structs(3)] == []
    assert len(btf.raw_event_structs(4)) == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TASK_COMM_LEN", 16),
        ("REQ_OP_READ", 0),
        ("REQ_OP_WRITE", 1),
        ("REQ_OP_TOP", 0x80000000),
        ("SIGN_MINUS", -1),
        ("WIDE_LOW", 5),
        ("WIDE_TOP", 1 << 63),
        ("WIDE_MINUS", -2),
        ("req_op", None),
        ("int", None),
        ("ent", None),
        ("NO_SUCH", None),
    ],
)
def test_enum_value(btf: Btf, name: str, value: int | None) -> None:
    assert btf.enum_value(name) == value


def test_enum(btf: Btf) -> None:
    assert btf.enum("req_op") == {"REQ_OP_READ": 0, "REQ_OP_WRITE": 1, "REQ_OP_TOP": 0x80000000}
    assert btf.enum("wide_signed") == {"WIDE_MINUS": -2}
    assert btf.enum("int") is None


# ------------------------------------------------------------------------------------- types


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pid_t", BtfType(Kind.INT, 4, signed=True)),
        ("int", BtfType(Kind.INT, 4, signed=True)),
        ("unsigned long", BtfType(Kind.INT, 8, signed=False)),
        ("long unsigned int", BtfType(Kind.INT, 8, signed=False)),
        ("unsigned short", BtfType(Kind.INT, 2, signed=False)),
        ("bool", BtfType(Kind.INT, 1, signed=False)),
        ("struct trace_entry", BtfType(Kind.STRUCT, 8)),
        ("struct foo *", BtfType(Kind.PTR, 8)),
        ("enum req_op", BtfType(Kind.ENUM, 4, signed=False)),
        ("enum wide_signed", BtfType(Kind.ENUM64, 8, signed=True)),
        ("struct req_op", None),
        ("trace_entry", None),
        ("long long", None),
        ("", None),
        ("int trace_entry", None),
    ],
)
def test_named_type(btf: Btf, name: str, expected: BtfType | None) -> None:
    assert btf.named_type(name) == expected


@pytest.mark.parametrize("linkage", [0, 1])
def test_function_id(linkage: int) -> None:
    make = Maker()
    integer = make.integer("bpf_lock", 4)  # a type may have a function's name
    prototype = make.function(integer, ("bpf_unlock", integer))
    make.add(Kind.FUNC, "other", prototype, vlen=linkage)
    wanted = make.add(Kind.FUNC, "bpf_lock", prototype, vlen=linkage)
    btf = make.btf()
    assert btf.function_id("bpf_lock") == wanted
    assert btf.function_id("bpf_unlock") is None
    assert btf.function_id("nothing") is None


@pytest.mark.parametrize("left_out", ["", "trace_call_bpf_faultable", "bpf_local_irq_save", "bpf_local_irq_restore"])
def test_functions_to_be_alone(tmp_path: Path, left_out: str) -> None:
    make = Maker()
    prototype = make.function(make.integer("int", 4))
    names = ("trace_call_bpf_faultable", "bpf_local_irq_save", "bpf_local_irq_restore")
    ids = [make.add(Kind.FUNC, name, prototype) for name in names if name != left_out]
    (tmp_path / "vmlinux").write_bytes(make.blob())
    expected = (None, None) if left_out else tuple(ids[1:])
    assert tuple(alone_functions(tmp_path).values()) == expected
    needed_and_missing = left_out.startswith("bpf_local_irq")
    assert may_be_interrupted(tmp_path, tmp_path / "no symbols") is needed_and_missing


@pytest.mark.parametrize(
    ("symbols", "expected"),
    [
        ("0 T trace_call_bpf\n0 T trace_call_bpf_faultable\n0 t x\t[module]\n", True),
        ("0 T trace_call_bpf\n0 T __pfx_trace_call_bpf_faultable\n0 T trace_call_bpf_faultable_too\n", False),
        ("0 t trace_call_bpf_faultable\t[module]\n", False),
    ],
)
def test_interruptions_without_btf(tmp_path: Path, symbols: str, expected: bool) -> None:
    names = tmp_path / "kallsyms"
    names.write_text(symbols)
    assert may_be_interrupted(tmp_path, names) is expected
    (tmp_path / "vmlinux").write_bytes(b"no BTF")
    assert may_be_interrupted(tmp_path, names) is expected
    assert not may_be_interrupted(tmp_path, tmp_path / "none")


def test_nothing_to_be_alone_with(tmp_path: Path) -> None:
    assert set(alone_functions(tmp_path).values()) == {None}
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "vmlinux").write_bytes(b"no BTF")
    assert set(alone_functions(broken).values()) == {None}


def test_type_names() -> None:
    make = Maker()
    integer, page = make.integer("int", 4, signed=True), make.struct("page", 64)
    const = make.add(Kind.CONST, value=integer)
    to_const = make.add(Kind.PTR, value=const)
    page_pointer = make.add(Kind.PTR, value=page)
    proto = make.function(integer, ("a", page_pointer), ("", 0))
    names = {
        0: "void",
        const: "const int",
        to_const: "const int *",
        make.add(Kind.CONST, value=to_const): "const int *const",
        make.add(Kind.PTR, value=make.add(Kind.CONST, value=to_const)): "const int *const *",
        make.add(Kind.VOLATILE, value=const): "volatile const int",
        make.array(make.array(integer, 3), 2): "int[2][3]",
        make.array(page_pointer, 4): "struct page *[4]",
        make.add(Kind.PTR, value=make.array(integer, 4)): "int (*)[4]",
        make.add(Kind.PTR, value=proto): "int (*)(struct page *, ...)",
        make.array(make.add(Kind.PTR, value=proto), 2): "int (*[2])(struct page *, ...)",
        make.add(Kind.PTR, value=make.function(0)): "void (*)(void)",
        make.add(Kind.TYPEDEF, "u32", integer): "u32",
        make.add(Kind.FWD, "later", flag=True): "union later",
        make.enum("", {"A": 1}): "enum {...}",
        make.add(Kind.TYPE_TAG, "user", integer): "int",
    }
    btf = make.btf()
    assert {type_id: btf.type_name(type_id) for type_id in names} == names


def test_sizes() -> None:
    make = Maker()
    integer = make.integer("int", 4)
    const = make.add(Kind.CONST, value=make.array(make.array(integer, 3), 2))
    function = make.function(0)
    btf = make.btf()
    assert btf.size_of(const) == 24
    assert btf.type_of(const).kind is Kind.ARRAY
    assert btf.size_of(0) is None
    assert btf.size_of(function) is None
    assert btf.type_count == 5


def test_pointer_size_of_a_32_bit_kernel() -> None:
    make = Maker()
    make.integer("long unsigned int", 4)
    assert make.btf().named_type("void *") == BtfType(Kind.PTR, 4)


def test_kinds_declared_in_the_layout_section_are_stepped_over() -> None:
    make = Maker()
    make.add(100, "novelty", body=[1, 2, 3, 4, 5], vlen=2)
    integer = make.integer("int", 4)
    layout = bytes(4 * 100) + struct.pack("<BBH", 4, 8, 0)
    assert Btf.from_bytes(make.blob(layout)).size_of(integer) == 4
    with pytest.raises(BtfError, match="kind 100 are unknown"):
        make.btf().size_of(integer)
    with pytest.raises(BtfError, match="kind 100 are unknown"):
        Btf.from_bytes(make.blob(layout)).size_of(1)


# --------------------------------------------------------------------------------- split BTF


def test_module_builds_on_the_kernel() -> None:
    kernel = small_kernel()
    module = Maker(base=kernel)
    header = kernel.last + 1
    module.types += module.words(module.name("xfs_t"), Kind.TYPEDEF << 24, 1)
    module.last += 1
    ent, pid = kernel.name("ent"), kernel.name("pid")
    module.types += module.words(module.name("trace_event_raw_xfs"), Kind.STRUCT << 24 | 2, 12)
    module.types += module.words(ent, header, 0, pid, header, 64)
    module.last += 1
    base = kernel.btf()
    btf = module.btf(base)
    found = btf.struct("trace_event_raw_xfs")
    assert found
    assert [m.name for m in found.members] == ["ent", "pid"]
    assert btf.named_type("xfs_t") == BtfType(Kind.INT, 4, signed=True)
    assert btf.type_name(header) == "xfs_t"
    assert btf.type_name(1) == "int"
    assert btf.struct("trace_entry") == base.struct("trace_entry")
    assert base.struct("trace_event_raw_xfs") is None
    assert btf.enum_value("TASK_COMM_LEN") == 16
    assert len(btf.raw_event_structs()) == len(base.raw_event_structs()) + 1
    assert btf.type_count == base.type_count + 2
    with pytest.raises(BtfError, match="there is no type"):
        btf.type_of(btf.type_count + 1)


# ----------------------------------------------------------------------------- hostile input


def test_errors_of_the_header() -> None:
    good = small_kernel().blob()
    for bad in (b"", b"\x9f", good[:20], b"\0\0" + good[2:], good[:2] + b"\2" + good[3:], good[:-1]):
        with pytest.raises(BtfError):
            Btf.from_bytes(bad)
    for at in range(4, 24, 4):
        with pytest.raises(BtfError):
            Btf.from_bytes(good[:at] + b"\xff\xff\xff\x7f" + good[at + 4 :])


@pytest.mark.parametrize("kind", [Kind.TYPEDEF, Kind.CONST, Kind.PTR, Kind.ARRAY])
def test_endless_types(kind: Kind) -> None:
    make = Maker()
    make.add(kind, "loop_t" if kind is Kind.TYPEDEF else "", 1, body=[1, 1, 2] if kind is Kind.ARRAY else [])
    if kind is not Kind.PTR:
        with pytest.raises(BtfError, match="no end"):
            make.btf().type_of(1)
    if kind is not Kind.TYPEDEF:
        with pytest.raises(BtfError, match="no end"):
            make.btf().type_name(1)


def test_branching_types() -> None:
    """A function that takes itself 60 times: 60 ** 32 parameters."""
    make = Maker()
    make.function(1, *[("", 1)] * 60)
    with pytest.raises(BtfError, match="no end"):
        make.btf().type_name(1)


def test_members_beyond_the_section() -> None:
    make = Maker()
    make.add(Kind.STRUCT, "trace_event_raw_cut", 8, vlen=9, body=[make.name("ent"), 1, 0])
    btf = make.btf()
    for look in (btf.raw_event_structs, lambda: btf.type_of(1), lambda: btf.type_count):
        with pytest.raises(BtfError, match=r"cut short|beyond"):
            look()


def test_types_that_overlap() -> None:
    make = Maker()
    name, raw, ent = make.name("evil"), make.name("trace_event_raw_evil"), make.name("ent")
    make.types = make.words(*[name, Kind.STRUCT << 24 | 0xFFFF, 8] * 100_000)
    assert len(list(make.btf().structs("evil"))) == 1
    make.types = make.words(*[raw, Kind.STRUCT << 24 | 3, 8, ent, 1, 0] * 1000)
    with pytest.raises(BtfError, match="overlap"):
        make.btf().raw_event_structs()


def test_names_that_are_none() -> None:
    make = Maker()
    make.struct("s", 4, ("\x1b[31m", 1, 0))
    make.struct("t", 4, ("x" * 600, 1, 0))
    for name in "st":
        with pytest.raises(BtfError, match="can't be a name"):
            make.btf().struct(name)


def use_everything(data: bytes) -> None:
    """Call everything there is. Raises BtfError for some part of it, often."""
    btf = Btf.from_bytes(data)
    calls: list[Callable[[], object]] = [
        btf.raw_event_structs,
        lambda: btf.type_count,
        lambda: context_struct(btf, event("sched:open", field("name", 8))),
        lambda: context_struct(btf, event("syscalls:sys_enter_x", field("nr", 8), field("a", 16))),
        *(lambda name=name: btf.enum_value(name) for name in ("REQ_OP_READ", "WIDE_TOP", "ent")),
        *(lambda name=name: btf.named_type(name) for name in ("pid_t", "struct trace_entry", "char *")),
        *(lambda i=i: (btf.type_name(i), btf.type_of(i)) for i in range(30)),
    ]
    for call in calls:
        try:
            call()
        except BtfError:
            continue


def mutated(data: bytes, rng: random.Random) -> bytes:
    words = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(len(words) // 4) * 4
        choice = rng.random()
        if choice < 0.4:
            words[rng.randrange(len(words))] = rng.randrange(256)
        elif choice < 0.7:
            words[at : at + 4] = struct.pack(
                "<I", rng.choice([0, 1, rng.randrange(40), 0xFFFFFFFF, 4 << 24 | 0xFFFF])
            )
        elif choice < 0.85:
            source = rng.randrange(len(words) // 4) * 4
            words[at : at + 4] = words[source : source + 4]
        else:
            kind, vlen = rng.randrange(24), rng.choice([0, 1, 2, 60, 0xFFFFFF])
            words[at : at + 4] = struct.pack("<I", kind << 24 | vlen)
    return bytes(words[: rng.randrange(len(words))] if rng.random() < 0.1 else words)


@pytest.mark.parametrize("order", ["<", ">"])
def test_only_btf_errors_come_out(order: str) -> None:
    rng = random.Random(7)  # noqa: S311
    good = small_kernel(order).blob()
    for _ in range(500):
        try:
            use_everything(mutated(good, rng))
        except BtfError:
            continue


# ------------------------------------------------------------------------------------- files


def test_no_file_is_no_btf(tmp_path: Path) -> None:
    assert load_btf(tmp_path / "vmlinux") is None


def test_file(tmp_path: Path) -> None:
    path = tmp_path / "vmlinux"
    path.write_bytes(small_kernel().blob())
    btf = load_btf(path)
    assert btf
    assert btf.enum_value("TASK_COMM_LEN") == 16


def test_error_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "vmlinux"
    path.write_bytes(b"nonsense")
    with pytest.raises(BtfError, match="vmlinux: this isn't BTF"):
        load_btf(path)


def test_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo"):
        with pytest.raises(BtfError):
            load_btf(path)


def test_too_large_a_file(tmp_path: Path) -> None:
    path = tmp_path / "vmlinux"
    with path.open("wb") as file:
        file.truncate(load_module.MAX_FILE + 1)
    with pytest.raises(BtfError, match="far too large"):
        load_btf(path)


# ----------------------------------------------------------------------------------- context


def test_context_by_name(btf: Btf) -> None:
    found = context_struct(btf, event("fs:open", field("name", 8), field("path", 12, 4, Location.DATA_LOC)))
    assert (found.names, found.exact, found.agrees) == (("trace_event_raw_open",), True, True)


def test_context_by_members(btf: Btf) -> None:
    found = context_struct(btf, event("sched:wake_new", field("comm", 8, 16), field("pid", 24)))
    assert (found.names, found.exact, found.agrees) == (("trace_event_raw_wake_template",), False, True)


def test_context_of_one_name_with_other_members(btf: Btf) -> None:
    """The kernel has a class of this event's name, and another class has the event."""
    found = context_struct(btf, event("other:open", field("comm", 8, 16), field("pid", 24)))
    assert (found.names, found.exact, found.agrees) == (("trace_event_raw_wake_template",), False, True)


def test_context_disagrees(btf: Btf) -> None:
    found = context_struct(btf, event("fs:open", field("name", 16), field("path", 12, 4, Location.DATA_LOC)))
    assert (found.names, found.exact, found.agrees) == (("trace_event_raw_open",), True, False)
    assert found.disagreements == ("name: offset 16 in the format file, 8 in struct trace_event_raw_open",)


def test_no_context(btf: Btf) -> None:
    found = context_struct(btf, event("ftrace:function", field("ip", 8, 8)))
    assert (found.structs, found.exact, found.agrees) == ((), False, False)


ENTER = event("syscalls:sys_enter_read", field("__syscall_nr", 8), field("fd", 16, 8), field("buf", 24, 8))


def test_context_of_a_system_call(btf: Btf) -> None:
    found = context_struct(btf, ENTER)
    assert (found.names, found.agrees) == (("trace_event_raw_sys_enter", "syscall_trace_enter"), True)
    found = context_struct(
        btf, event("syscalls:sys_exit_read", field("__syscall_nr", 8), field("ret", 16, 8))
    )
    assert (found.names, found.agrees) == (("syscall_trace_exit",), True)
    assert context_struct(btf, event("syscalls:sys_enter_getpid", field("__syscall_nr", 8))).agrees


def test_context_of_a_system_call_in_rhel_9_3() -> None:
    """The format file has the arguments at 16, the program gets them at 24 (elastic/quark #422)."""
    found = context_struct(small_kernel(skew=8).btf(), ENTER)
    assert found.names == ("trace_event_raw_sys_enter",)
    assert found.disagreements == ("fd: offset 16 in the format file, 24 in struct syscall_tp_t",)


def test_context_of_a_system_call_without_the_struct_that_bpf_gets() -> None:
    make = Maker()
    make.struct("syscall_trace_enter", 16, ("ent", 0, 0), ("nr", 0, 64), ("args", 0, 192))
    found = context_struct(make.btf(), ENTER)
    assert found.names == ("syscall_trace_enter",)
    assert found.disagreements == ("fd: offset 16 in the format file, 24 in struct syscall_trace_enter",)
    assert not context_struct(Maker().btf(), ENTER).exact


# --------------------------------------------------------------------------- the real kernel


@pytest.mark.skipif(not os.access(KERNEL_BTF, os.R_OK), reason="this kernel offers no BTF")
def test_running_kernel() -> None:
    btf, copy = load_kernel_btf(), load_btf(KERNEL_BTF)
    assert btf
    assert copy
    for each in (btf, copy):
        entry = each.struct("trace_entry")
        assert entry
        assert entry.size >= 8
        assert each.named_type("pid_t") == BtfType(Kind.INT, 4, signed=True)
        assert each.enum_value("PERF_TYPE_HARDWARE") == 0
        assert each.type_name(each.function_id("trace_call_bpf") or 0).startswith("unsigned int (struct trace_")
    raw = btf.raw_event_structs()
    assert len(raw) > 100
    assert all(each.members[0].name == "ent" for each in raw)
    assert all(btf.struct(each.name) == each for each in raw[:50])
    assert all(btf.type_name(m.type_id) for each in raw for m in each.members)


def test_no_module_of_such_a_name(tmp_path: Path) -> None:
    (tmp_path / "vmlinux").write_bytes(small_kernel().blob())
    assert load_kernel_btf("no_such", tmp_path) is None
    with pytest.raises(BtfError, match="module's name"):
        load_kernel_btf("../vmlinux", tmp_path)
