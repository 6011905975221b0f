"""What is compiled once isn't compiled again: and nothing but that very bytecode is believed."""

from __future__ import annotations

import os
import struct
import threading
from binascii import crc32
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ReadFixture
from tpkit import CompileError, ProbeSpec, generate_bcc
from tpkit.cache_folder import CacheFolder
from tpkit.runtime.bytecode import Bytecode, Function, MapDefinition
from tpkit.runtime.compiler import KEPT, CachingCompiler
from tpkit.runtime.system_calls import MapKind

SOURCE = "int on_x(void *ctx) { return 0; }"
NOBODY = 65534


def bytecode(name: str = "on_x", number: int = 0) -> Bytecode:
    code = struct.pack("=BBhiBBhi", 0xB7, 0, 0, number, 0x95, 0, 0, 0)
    return Bytecode((MapDefinition("events", MapKind.RINGBUF, 0, 0, 1, 0),), (Function(name, code),))


class Compiles:
    """Stands in for BCC, and counts."""

    def __init__(self, made: Bytecode | None = None) -> None:
        self.count = 0
        self._made = made or bytecode()

    def __call__(self, _: str) -> Bytecode:
        self.count += 1
        return self._made


class Cache:
    """A folder, and compilers as new processes have them."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self.compiles = Compiles()

    def compiler(self) -> CachingCompiler:
        return CachingCompiler(CacheFolder(self.path), self.compiles)

    def run(self, source: str = SOURCE) -> str | None:
        """Compiles and keeps it; why the cache was of no use."""
        compiler = self.compiler()
        assert compiler.compile([source]) == bytecode()
        compiler.keep()
        return compiler.why_not

    @property
    def file(self) -> Path:
        (file,) = self.path.iterdir()
        return file


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "tpkit")


@pytest.fixture
def filled(cache: Cache) -> Cache:
    assert cache.run() is None
    assert cache.compiles.count == 1
    return cache


def test_the_second_time_nothing_is_compiled(filled: Cache) -> None:
    assert filled.run() is None
    assert filled.compiles.count == 1
    assert filled.file.stat().st_mode & 0o7777 == 0o600
    assert filled.path.stat().st_mode & 0o7777 == 0o700


def test_what_the_kernel_didnt_take_is_not_kept(cache: Cache) -> None:
    cache.compiler().compile([SOURCE])  # and nobody says that it was any good
    assert not cache.path.exists()


def test_without_a_cache(tmp_path: Path) -> None:
    compiles = Compiles()
    compiler = CachingCompiler(None, compiles)
    for _ in range(2):
        assert compiler.compile([SOURCE]) == bytecode()
        compiler.keep()
    assert compiles.count == 2


def test_another_source_is_compiled(filled: Cache) -> None:
    filled.run(SOURCE + " ")
    assert filled.compiles.count == 2
    filled.run()
    assert filled.compiles.count == 2


def test_another_process_is_no_other_source(cache: Cache, read_fixture: ReadFixture) -> None:
    event = read_fixture("syscalls:sys_enter_unlinkat")
    for pid in (1, 2, 4_000_000):
        cache.run(generate_bcc(ProbeSpec((event,), pids=(pid,))).source)
    assert cache.compiles.count == 1
    cache.run(generate_bcc(ProbeSpec((event,), tids=(1,))).source)
    assert cache.compiles.count == 2


# ----------------------------------------------------------------------------------- damage


def with_checksum(body: bytes) -> bytes:
    return b"tpkit 1 %08x\n" % crc32(body) + body


def body_of(content: bytes) -> bytes:
    return content.partition(b"\n")[2]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut": lambda whole: whole[:-1],
    "cut in its head": lambda whole: whole[:10],
    "longer": lambda whole: whole + b" ",
    "a flipped bit": lambda whole: whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:],
    "another source": lambda whole: with_checksum(body_of(whole).replace(b"return 0", b"return 1")),
    "another compiler": lambda whole: with_checksum(body_of(whole).replace(b"-nostdinc", b"-nostdlib")),
    "another length of the key": lambda whole: with_checksum(b"1" + body_of(whole)),
    "no key": lambda _: with_checksum(b"0\n" + bytecode(number=5).as_json().encode()),
    "other bytecode's shape": lambda whole: with_checksum(body_of(whole).replace(b'"maps"', b'"mops"')),
    "no JSON": lambda whole: with_checksum(body_of(whole)[:-1]),
    "nothing but zeros": lambda whole: bytes(len(whole)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_is_compiled_anew_and_replaced(filled: Cache, damage: Callable[[bytes], bytes]) -> None:
    whole = filled.file.read_bytes()
    assert with_checksum(body_of(whole)) == whole
    filled.file.write_bytes(damage(whole))
    assert filled.file.read_bytes() != whole
    assert filled.run() is not None
    assert filled.compiles.count == 2
    assert filled.file.read_bytes() == whole
    assert filled.run() is None
    assert filled.compiles.count == 2


def test_any_byte_that_is_lost(filled: Cache) -> None:
    whole = filled.file.read_bytes()
    for place in range(0, len(whole), 97):
        filled.file.write_bytes(whole[:place] + whole[place + 1 :])
        assert filled.compiler().compile([SOURCE]) == bytecode()
    assert filled.compiles.count == 1 + len(range(0, len(whole), 97))


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: files can't be given away")
@pytest.mark.parametrize("folder", [False, True])
def test_somebody_elses(filled: Cache, folder: bool) -> None:
    place = filled.path if folder else filled.file
    os.chown(place, NOBODY, NOBODY)
    assert "someone else" in (filled.run() or "")
    assert filled.compiles.count == 2
    assert place.stat().st_uid == NOBODY  # and left as it was


@pytest.mark.parametrize("bit", [0o020, 0o002])
@pytest.mark.parametrize("folder", [False, True])
def test_others_may_write(filled: Cache, folder: bool, bit: int) -> None:
    place = filled.path if folder else filled.file
    place.chmod(place.stat().st_mode | bit)
    assert "others may write it" in (filled.run() or "")
    assert filled.compiles.count == 2


def test_linked_file(filled: Cache, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    file = filled.file
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    assert filled.run() is not None
    assert filled.compiles.count == 2
    assert elsewhere.read_bytes() == before


def test_linked_folder(filled: Cache, tmp_path: Path) -> None:
    filled.path.rename(tmp_path / "elsewhere")
    filled.path.symlink_to(tmp_path / "elsewhere")
    assert "link" in (filled.run() or "")
    assert filled.compiles.count == 2


def test_a_pipe_in_its_place(filled: Cache) -> None:
    """Nobody waits for a writer."""
    file = filled.file
    file.unlink()
    os.mkfifo(file)
    assert filled.run() is not None
    assert filled.compiles.count == 2


def test_only_the_newest_are_kept(cache: Cache) -> None:
    compiler = cache.compiler()
    for number in range(KEPT + 5):
        compiler.compile([f"{SOURCE} // {number}"])
        compiler.keep()
    assert len(list(cache.path.iterdir())) == KEPT
    cache.run(f"{SOURCE} // {KEPT + 4}")
    assert cache.compiles.count == KEPT + 5


def test_no_room(filled: Cache) -> None:
    """A folder that nothing can be written to costs the cache, and nothing else."""
    filled.file.unlink()
    filled.path.rmdir()
    filled.path.write_text("a file")
    assert filled.run() is not None
    assert filled.compiles.count == 2


# ------------------------------------------------------------------------ beside us, and in parts


def test_compiling_goes_on_beside_us(cache: Cache) -> None:
    begun, go = threading.Event(), threading.Event()

    def compile_slowly(_: str) -> Bytecode:
        begun.set()
        assert go.wait(60)
        return bytecode()

    compiler = CachingCompiler(CacheFolder(cache.path), compile_slowly)
    compiler.begin([SOURCE])
    assert begun.wait(60)  # while we're here
    go.set()
    assert compiler.compile([SOURCE]) == bytecode()
    compiler.keep()
    assert cache.run() is None
    assert cache.compiles.count == 0


def test_an_error_beside_us_is_raised_where_the_result_is_asked_for() -> None:
    compiler = CachingCompiler(None, fail)
    compiler.begin([SOURCE])
    with pytest.raises(CompileError, match="can't be compiled"):
        compiler.compile([SOURCE])


def fail(source: str) -> Bytecode:
    raise CompileError("can't be compiled", where=source, remedy="try", details="its words")


def part(source: str) -> Bytecode:
    return bytecode(source)


def test_parts_are_compiled_by_several_processes(cache: Cache) -> None:
    steps: list[tuple[int, int]] = []
    names = [f"on_{number}" for number in range(5)]
    compiler = CachingCompiler(CacheFolder(cache.path), part, lambda done, of: steps.append((done, of)))
    compiler.begin(names)
    whole = compiler.compile(names)
    compiler.keep()
    assert [each.name for each in whole.functions] == names
    assert len(whole.maps) == 1
    assert steps == [(done, 5) for done in range(1, 6)]
    # One part more: the others are known.
    again = CachingCompiler(CacheFolder(cache.path), part, lambda done, of: steps.append((done, of)))
    assert len(again.compile([*names, "on_new"]).functions) == 6
    assert len(steps) == 5


def test_an_error_of_a_part_keeps_its_words() -> None:
    with pytest.raises(CompileError) as caught:
        CachingCompiler(None, fail).compile(["on_x", "on_y"])
    assert (caught.value.where, caught.value.remedy, caught.value.details) == ("on_x", "try", "its words")
