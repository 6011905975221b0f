"""What all tests share: the captured trees, and a way to run the program as a user does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from tpkit import EventFormat, Tracefs, TracepointId, parse_event

FIXTURES = Path(__file__).parent / "fixtures"
PATIENCE = 240  # seconds until a test gives up waiting for a process: an emulated machine is 60 times as slow
KERNELS = tuple(sorted(path.name for path in FIXTURES.glob("*-x86_64") if (path / "events").is_dir()))

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]
ReadFixture = Callable[..., EventFormat]


@pytest.fixture(params=KERNELS)
def tree(request: pytest.FixtureRequest) -> Tracefs:
    """Each captured kernel in turn."""
    return Tracefs.captured_tree(FIXTURES / str(request.param))


@pytest.fixture
def read_fixture() -> ReadFixture:
    """An event of a captured kernel: ``read_fixture("syscalls:sys_enter_unlinkat", "7.2")``."""

    def read(name: str, kernel: str = "6.18") -> EventFormat:
        event = TracepointId.parse(name)
        return parse_event(Tracefs.captured_tree(FIXTURES / f"{kernel}-x86_64").format_text(event), event)

    return read


@pytest.fixture
def tpkit() -> Run:
    """Runs the program to its end: ``tpkit("list", "unlinkat")``."""

    def run(*arguments: str | bytes, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command(*arguments), stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False, env=env
        )

    return run


def command(*arguments: str | bytes) -> Sequence[str | bytes]:
    """The program's command line, for tests that start it themselves."""
    return [sys.executable, "-m", "tpkit", *arguments]


def is_running(pid: int) -> bool:
    """Whether a process hasn't ended: whoever inherits orphans may never wait for them, and so they stay in /proc."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture(autouse=True, scope="session")
def _heeded_signals() -> None:
    """Who runs the tests in the background (nohup, a shell's &) hands ignored signals on, also to what they start."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests changes what they see."""
    for name in list(os.environ):
        if name.startswith("TPKIT_"):
            monkeypatch.delenv(name)
