"""From a program's C to bytecode: as an earlier run compiled it, or by way of BCC's compiler.

What has been compiled, and taken by the kernel, is kept (``/var/cache/tpkit`` for root), and believed where the
source is the very same, and everything that makes bytecode of it.
"""

from __future__ import annotations

import os
import threading
from binascii import crc32
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

from tpkit.cache_folder import CacheFolder, Unusable
from tpkit.errors import CompileError
from tpkit.kernel_tree import headers
from tpkit.runtime.bcc_flags import FLAGS
from tpkit.runtime.bytecode import Bytecode
from tpkit.version import __version__

PREFIX = "program-"
KEPT = 256  # parts of programs
MAX_BYTES = 64 << 20  # all system calls of a kernel take 3 MiB
# Where the compiler lives: whatever of this changes makes new bytecode.
_LIBRARY_FOLDERS = ("/usr/lib", "/usr/lib64", "/lib", "/usr/local/lib")
_LIBRARIES = ("libbcc.so*", "libLLVM*.so*", "libclang*.so*")

Compile = Callable[[str], Bytecode]
Progress = Callable[[int, int], None]


def compile_with_bcc(source: str) -> Bytecode:
    """What BCC's compiler makes of a program. Raises ProbeError."""
    from tpkit.runtime import bcc_compiler  # a run that compiles nothing does without

    return bcc_compiler.compile_with_bcc(source)


class CachingCompiler:
    """Compiles what isn't in the cache.

    folder: where that is, None for none; progress: called with the number of parts that are compiled, and of all that
    have to be; why_not: why the cache was of no use.
    """

    def __init__(
        self, folder: CacheFolder | None, compile_source: Compile = compile_with_bcc, progress: Progress | None = None
    ) -> None:
        self._folder = folder
        self._compile = compile_source
        self._progress = progress
        self._begun: _Compiling | None = None
        self._new: dict[str, Bytecode] = {}
        self.why_not: str | None = None

    def begin(self, sources: Sequence[str]) -> None:
        """Compiles in a thread of its own: clang needs none of Python's locks, and there is much to import meanwhile.

        ``compile`` is to be called for the same sources then. Several parts wait for that: they are compiled by other
        processes, which must not be made while a thread holds any lock.
        """
        if len(sources) == 1:
            self._begun = _Compiling(lambda: self._compiled(sources))
            self._begun.start()

    def compile(self, sources: Sequence[str]) -> Bytecode:
        """A program's parts as one. Raises ProbeError."""
        begun, self._begun = self._begun, None
        return self._compiled(sources) if begun is None else begun.result()

    def keep(self) -> None:
        """What has been compiled by the last ``compile`` is kept for the next run: the kernel took it."""
        new, self._new = self._new, {}
        if self._folder is None or not new:
            return
        try:
            for source, bytecode in new.items():
                self._folder.save(_file(source), _key(source), bytecode.as_json().encode())
            self._folder.keep_newest(PREFIX, KEPT)
        except (OSError, Unusable) as error:
            self.why_not = str(error)

    def _compiled(self, sources: Sequence[str]) -> Bytecode:
        found = {source: self._load(source) for source in sources}
        missing = [source for source, bytecode in found.items() if bytecode is None]
        self._new = dict(zip(missing, self._compile_all(missing), strict=True))
        return Bytecode.merged([found[source] or self._new[source] for source in sources])

    def _compile_all(self, sources: Sequence[str]) -> list[Bytecode]:
        if len(sources) <= 1:
            return list(map(self._compile, sources))
        from tpkit.runtime.workers import Workers  # for large programs only

        compiled: dict[int, Bytecode] = {}
        try:
            with Workers(self._compile, sources) as workers:
                for number, bytecode in workers:
                    compiled[number] = bytecode
                    if self._progress is not None:
                        self._progress(len(compiled), len(sources))
        except EOFError:
            raise CompileError("a process that compiles has died", remedy="is there memory left?") from None
        return [compiled[number] for number in range(len(sources))]

    def _load(self, source: str) -> Bytecode | None:
        if self._folder is None:
            return None
        try:
            content = self._folder.load(_file(source), _key(source), MAX_BYTES)
            return None if content is None else Bytecode.from_json(content)
        except (OSError, Unusable, ValueError) as error:
            self.why_not = str(error)
            return None


class _Compiling(threading.Thread):
    """A compilation that goes on beside us."""

    def __init__(self, work: Callable[[], Bytecode]) -> None:
        super().__init__()
        self._work = work
        self._bytecode: Bytecode | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """In the thread."""
        try:
            self._bytecode = self._work()
        except BaseException as error:  # it is raised where the result is asked for
            self._error = error

    def result(self) -> Bytecode:
        """Waits for it. Raises what it raised."""
        self.join()
        if self._error is not None:
            raise self._error
        assert self._bytecode is not None  # there is one or the other
        return self._bytecode


def _file(source: str) -> str:
    return f"{PREFIX}{crc32(source.encode()):08x}-{len(source)}"


def _key(source: str) -> str:
    return f"{_state()}\n{source}"


@cache
def _state() -> str:
    """All that decides what a source becomes, besides itself: the compiler's files, the headers, tpkit."""
    parts = [__version__, *FLAGS, os.uname().machine]
    parts += [f"{name}:{text}" for name, text in sorted(headers().items())]
    for path in sorted(_compiler_files()):
        status = path.stat()
        parts.append(f"{path}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}")
    return "\n".join(parts)


def _compiler_files() -> Iterator[Path]:
    triplets = [f"{folder}/{os.uname().machine}-linux-gnu" for folder in _LIBRARY_FOLDERS]
    seen = set()
    for folder in (*_LIBRARY_FOLDERS, *triplets):
        for pattern in _LIBRARIES:
            for path in Path(folder).glob(pattern):
                real = path.resolve()
                if real not in seen and real.is_file():
                    seen.add(real)
                    yield real
