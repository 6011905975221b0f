"""The file of parsed formats: what goes in comes out, and nothing else does."""

from __future__ import annotations

import json
import os
import random
import resource
import threading
import time
from binascii import crc32
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FIXTURES, KERNELS
from tpkit import EventFormat, Tracefs, TracepointId, parse_event
from tpkit.cache_folder import FOLDER_OF_ROOT
from tpkit.format_cache import FILE, FormatCache

STATE = "a boot\nsched/sched_switch 5105"
NOBODY = 65534

SHAPES = """name: shapes
ID: 7
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;

	field:void (*)(struct rcu_head *) func;	offset:8;	size:8;	signed:0;
	field:__typeof__(((struct page *)0)->flags) flags;	offset:16;	size:8;
	field:const char __attribute__((user)) * path;	offset:24;	size:8;	signed:0;
	field:u8 key[TWO + (3 * 4)][0x10];	offset:32;	size:224;	signed:0;
	field:__rel_loc char[] key;	offset:32;	size:4;	signed:1;

print fmt: "\udc80 %s", REC->path
"""


@pytest.fixture
def cache(tmp_path: Path) -> FormatCache:
    return FormatCache(tmp_path / "tpkit")


@pytest.fixture(scope="module")
def events() -> list[EventFormat]:
    return formats_of(Tracefs.captured_tree(FIXTURES / KERNELS[-1]))


@pytest.fixture
def saved(cache: FormatCache, events: list[EventFormat]) -> FormatCache:
    assert cache.save(STATE, events), cache.why_not
    return cache


def formats_of(tree: Tracefs) -> list[EventFormat]:
    return [parse_event(tree.format_text(event), event) for event in tree.event_ids()]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def load(cache: FormatCache, events: list[EventFormat]) -> list[EventFormat] | None:
    return cache.load(STATE, [event.id for event in events])


# ------------------------------------------------------------------------------ what goes in comes out


def test_every_captured_kernel(cache: FormatCache, tree: Tracefs) -> None:
    events = formats_of(tree)
    assert cache.save(STATE, events)
    assert load(cache, events) == events
    assert cache.why_not is None


def test_every_shape(cache: FormatCache) -> None:
    events = [parse_event(SHAPES, TracepointId("odd-1", "shapes")), EventFormat(TracepointId("empty", "file"))]
    assert cache.save(STATE, events), cache.why_not
    assert load(cache, events) == events


def test_no_events(cache: FormatCache) -> None:
    assert cache.save(STATE, [])
    assert cache.load(STATE, []) == []


def test_some_in_another_order(saved: FormatCache, events: list[EventFormat]) -> None:
    some = [events[5], events[2]]
    assert load(saved, some) == some


def test_an_event_that_was_not_saved(saved: FormatCache, events: list[EventFormat]) -> None:
    assert saved.load(STATE, [events[0].id, TracepointId("no", "such")]) is None


@pytest.mark.parametrize("state", ["", STATE + "1", STATE[:-1], "another boot" + STATE[6:]])
def test_another_state(saved: FormatCache, events: list[EventFormat], state: str) -> None:
    assert saved.load(state, [events[0].id]) is None
    assert saved.why_not is not None
    assert "another boot" in saved.why_not


def test_saving_again_replaces(saved: FormatCache, events: list[EventFormat]) -> None:
    assert saved.save(STATE, events[:1])
    assert load(saved, events[:1]) == events[:1]
    assert load(saved, events) is None
    assert names(saved.folder) == [FILE]


def test_what_can_not_be_read_back_is_not_saved(cache: FormatCache, events: list[EventFormat]) -> None:
    odd = EventFormat(TracepointId("a", "b"), number=-1)
    assert not cache.save(STATE, [*events, odd])
    assert not cache.folder.exists()


# ------------------------------------------------------------------------------------------- damage


def test_nothing_there(cache: FormatCache, events: list[EventFormat]) -> None:
    assert load(cache, events) is None
    assert not cache.folder.exists()  # looking leaves no trace


def test_cut_short(saved: FormatCache, events: list[EventFormat]) -> None:
    file = saved.folder / FILE
    whole = file.read_bytes()
    for size in (0, 1, 10, 24, 25, 26, 60, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:size])
        assert load(saved, events) is None, size


def test_any_flipped_bit(saved: FormatCache, events: list[EventFormat]) -> None:
    file = saved.folder / FILE
    whole = file.read_bytes()
    chance = random.Random(3)  # noqa: S311 - which bits are flipped is no secret
    for at in (*range(30), *chance.sample(range(len(whole)), 100)):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << chance.randrange(8)
        file.write_bytes(flipped)
        assert load(saved, events) is None, at


def test_huge(saved: FormatCache, events: list[EventFormat]) -> None:
    os.truncate(saved.folder / FILE, 1 << 40)  # sparse
    assert load(saved, events) is None


def test_a_damaged_file_is_replaced(saved: FormatCache, events: list[EventFormat]) -> None:
    (saved.folder / FILE).write_bytes(b"damaged")
    assert saved.save(STATE, events)
    assert load(saved, events) == events


# ----------------------------------------------------------- lies, with the checksum that goes with them

Tables = dict[str, Any]


def rewrite(cache: FormatCache, change: Callable[[Tables], object]) -> None:
    """The saved file with its tables changed, or with what ``change`` returns in their place."""
    file = cache.folder / FILE
    whole = file.read_bytes()
    start = whole.index(b"\n\n", 25) + 2
    tables = json.loads(whole[start:])
    changed = change(tables)
    content = (changed if isinstance(changed, bytes) else json.dumps(tables if changed is None else changed).encode())
    body = whole[25:start] + content
    file.write_bytes(b"tpkit formats 1 %08x\n" % crc32(body) + body)


def put(value: object, *path: str | int) -> Callable[[Tables], object]:
    """Puts a value into a place of the tables."""

    def change(tables: Tables) -> None:
        inner: Any = tables
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value

    return change


NAME, TYPE, OFFSET, SIZE, SIGNED, COMMON = range(6)
ID, NUMBER, COMMON_LIST, OWN_LIST, PRINT_FMT = range(5)
PLAIN: list[object] = [0, [], [], [], "in the record", False]

LIES = {
    "a name that is C": put("x; } evil(); {", "fields", NAME, 0),
    "a name of a terminal": put("\x1b[2J", "fields", NAME, 0),
    "a name that is no ASCII": put("naïve", "fields", NAME, 0),
    "a name that is too long": put("x" * 129, "fields", NAME, 0),
    "a name that is empty": put("", "fields", NAME, 0),
    "a name that is a number": put(1, "fields", NAME, 0),
    "names that are one string": put("abc", "fields", NAME),
    "a negative place": put(-1, "fields", TYPE, 0),
    "a place behind the end": put(1 << 20, "fields", TYPE, 0),
    "a place that is true": put(True, "fields", TYPE, 0),
    "a place that is a fraction": put(0.0, "fields", TYPE, 0),
    "an offset too large": put((1 << 20) + 1, "fields", OFFSET, 0),
    "a negative size": put(-1, "fields", SIZE, 0),
    "a size that is text": put("8", "fields", SIZE, 0),
    "a sign that is a number": put(1, "fields", SIGNED, 0),
    "a mark that is null": put(None, "fields", COMMON, 0),
    "fields without sizes": lambda tables: tables["fields"].pop(SIZE),
    "a column cut short": lambda tables: tables["fields"][SIZE].pop() and None,
    "a type's text of two lines": put(["int\nevil()", "int", *PLAIN], "types", 0),
    "a type's text that is too long": put(["int " * 1025, "int", *PLAIN], "types", 0),
    "a base that is not in the text": put("evil", "types", 0, 1),
    "a base that is C": put(["int a = 1", "int a = 1", *PLAIN], "types", 0),
    "too many pointers": put(100, "types", 0, 2),
    "pointers below zero": put(-1, "types", 0, 2),
    "a qualifier that is C": put(["int (x)", "int", 0, ["(x)"], [], [], "in the record", False], "types", 0),
    "an attribute that is a number": put([1], "types", 0, 4),
    "dimensions without brackets": put([["", 1]], "types", 0, 5),
    "a negative dimension": put(["int[1]", "int", 0, [], [], [["1", -1]], "in the record", False], "types", 0),
    "a dimension that is text": put([7], "types", 0, 5),
    "a place that no record has": put("elsewhere", "types", 0, 6),
    "a function that is a number": put(1, "types", 0, 7),
    "a type of too few parts": put(["int"], "types", 0),
    "a type that is null": put(None, "types", 0),
    "a negative place in a list": put([-1], "lists", 0),
    "a list that is a number": put(7, "lists", 0),
    "an event's number too large": put(1 << 40, "events", NUMBER, 0),
    "an event's number that is text": put("7", "events", NUMBER, 0),
    "a negative list": put(-1, "events", OWN_LIST, 0),
    "a print fmt behind the end": put(1 << 20, "events", PRINT_FMT, 0),
    "a print fmt that is a number": put(7, "texts", 0),
    "a print fmt that is too long": put("x" * ((1 << 20) + 1), "texts", 0),
    "events without names": put([], "events", ID),
    "a name that is a list": put([], "events", ID, 0),
    "no types": lambda tables: tables.pop("types") and None,
    "no tables": lambda _: b"[]",
    "a number": lambda _: b"7",
    "no JSON": lambda _: b"{'types': []}",
    "no UTF-8": lambda _: b'{"types": ["\xff"]}',
    "endless brackets": lambda _: b"[" * 200_000,
    "an endless number": lambda _: b"9" * 200_000,
}


@pytest.mark.parametrize("lie", LIES)
def test_lies(saved: FormatCache, events: list[EventFormat], lie: str) -> None:
    rewrite(saved, lambda _: None)
    assert load(saved, events) == events  # it is the lie that is refused
    rewrite(saved, LIES[lie])
    assert load(saved, events) is None
    assert str(saved.why_not).endswith("damaged")


# ----------------------------------------------------------------------------------- whose the file is


def refused(cache: FormatCache, events: list[EventFormat]) -> None:
    """Neither read nor written, and it says why."""
    assert load(cache, events) is None
    assert cache.why_not
    assert not cache.save(STATE, events[:1])
    assert cache.why_not


def test_it_is_the_owners_alone(tmp_path: Path, events: list[EventFormat]) -> None:
    cache = FormatCache(tmp_path / "tpkit")
    before = os.umask(0)
    try:
        assert cache.save(STATE, events)
    finally:
        os.umask(before)
    assert cache.folder.stat().st_mode & 0o7777 == 0o700
    assert (cache.folder / FILE).stat().st_mode & 0o7777 == 0o600


def test_linked_folder(saved: FormatCache, events: list[EventFormat], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(saved.folder)
    refused(FormatCache(tmp_path / "link"), events)
    assert load(saved, events) == events


def test_linked_file(saved: FormatCache, events: list[EventFormat], tmp_path: Path) -> None:
    file = saved.folder / FILE
    target = file.rename(tmp_path / "elsewhere")
    file.symlink_to(target)
    before = target.read_bytes()
    refused(saved, events)
    assert file.is_symlink()
    assert target.read_bytes() == before


@pytest.mark.parametrize("name", [".", FILE])
def test_foreign_owner(saved: FormatCache, events: list[EventFormat], name: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("not root: nothing can be given away")
    os.chown(saved.folder / name, NOBODY, NOBODY)
    refused(saved, events)


@pytest.mark.parametrize("name", [".", FILE])
@pytest.mark.parametrize("bit", [0o020, 0o002])
def test_others_may_write(saved: FormatCache, events: list[EventFormat], name: str, bit: int) -> None:
    path = saved.folder / name
    path.chmod(path.stat().st_mode | bit)
    refused(saved, events)


def test_pipe_and_folder_in_its_place(saved: FormatCache, events: list[EventFormat]) -> None:
    file = saved.folder / FILE
    file.unlink()
    os.mkfifo(file, 0o600)
    refused(saved, events)  # and it doesn't wait for a writer
    file.unlink()
    file.mkdir(0o700)
    refused(saved, events)


# ------------------------------------------------------------------------------------ no way to write


@pytest.mark.parametrize("parent", ["/proc", "/proc/self/status", "/no/such/folder"])
def test_no_folder_can_be_made(parent: str, events: list[EventFormat]) -> None:
    refused(FormatCache(Path(parent, "tpkit")), events)


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_no_space(saved: FormatCache, events: list[EventFormat]) -> None:
    with files_limited_to(1000):
        assert not saved.save(STATE, events[:9])
    assert names(saved.folder) == [FILE]
    assert load(saved, events) == events  # what was there before


def test_writers_at_once(saved: FormatCache, events: list[EventFormat]) -> None:
    """A reader sees one whole file or another, at every moment."""

    def write() -> None:
        other = FormatCache(saved.folder)
        for _ in range(15):
            assert other.save(STATE, events)

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert load(saved, events) == events, saved.why_not
    assert names(saved.folder) == [FILE]


def test_what_killed_writers_left(saved: FormatCache, events: list[EventFormat]) -> None:
    old, young, foreign = (saved.folder / name for name in (f"{FILE}.old", f"{FILE}.young", "other"))
    for path in (old, young, foreign):
        path.write_bytes(b"half")
    for path in (old, foreign):
        os.utime(path, (time.time() - 4000,) * 2)
    assert saved.save(STATE, events)
    assert names(saved.folder) == [FILE, young.name, foreign.name]


# -------------------------------------------------------------------------------------- where it is


def test_roots_place_is_nobody_elses_word(tmp_path: Path) -> None:
    cache = FormatCache.of_user(0, {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)})
    assert cache is not None
    assert cache.folder == FOLDER_OF_ROOT


def test_places_of_users() -> None:
    def place(environment: dict[str, str], user: int = NOBODY) -> Path | None:
        cache = FormatCache.of_user(user, environment)
        return cache.folder if cache is not None else None

    assert place({"XDG_CACHE_HOME": "/scratch"}) == Path("/scratch/tpkit")
    assert place({"XDG_CACHE_HOME": "relative", "HOME": "/callers"}) == place({})
    assert place({"HOME": "/callers"}) != Path("/callers/.cache/tpkit")
    assert place({}, user=4_000_000_000) is None  # nobody has this number
