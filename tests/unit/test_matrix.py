"""The matrix itself: that it reads its lists, gathers every result, and can't turn green by accident."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import FIXTURES, is_running
from tests.matrix import __main__ as matrix
from tests.matrix import (
    check_drain,
    check_ledger,
    check_live_suite,
    check_rendering,
    check_userspace,
    guest,
    images,
    machine,
    packages,
    roots,
    rows,
)
from tests.matrix.check_programs import FILE as CROSS_SECTION
from tests.matrix.check_programs import read_cross_section
from tests.matrix.checks import CHECKS, Check, Context, titles
from tests.matrix.commands import MatrixError, output, run_within, tail
from tests.matrix.context import TREE
from tests.matrix.ending import SIGNALS, descendants, end_all
from tests.matrix.kernels import FILE, Kernel, Place, choose, read_kernels
from tests.matrix.results import GuestReport, Report, Result, Status, merged
from tests.matrix.table import explain, render
from tpkit import Account, Cause, Tracefs, TracepointId

GOOD = Result.of(True, "12")
BAD = Result.failed("3 left", "prog 7")
BOOTED = Result.of(True, "20 s")
TITLES = ("list", "left over")


def row(**results: Result) -> Report:
    return Report("7.2", "7.2.13", BOOTED, {name.replace("_", " "): each for name, each in results.items()}, 61.4)


class TestKernels:
    def test_the_file_ends_with_the_running_kernel(self) -> None:
        kernels = read_kernels(FILE.read_text())
        assert [kernel.name for kernel in kernels] == ["5.10", "6.1", "6.12", "7.2", "live+trixie", "live+sid", "live"]
        assert [kernel.place for kernel in kernels] == [Place.MACHINE] * 4 + [Place.ROOT] * 2 + [Place.HERE]

    @pytest.mark.parametrize(
        "text",
        [
            '"6.1" = 3',
            '"../x" = "sid"',
            '"6.1" = "a b"',
            'live = "sid"',
            "6.1 = 'sid'",
            '"live+sid" = "trixie"',
            '"live+../x" = "../x"',
        ],
    )
    def test_a_bad_line_is_named(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"kernels\.toml"):
            read_kernels(text)

    def test_choosing(self) -> None:
        kernels = read_kernels(FILE.read_text())
        assert choose(kernels, []) == kernels
        assert [kernel.name for kernel in choose(kernels, ["live", "6.1"])] == ["6.1", "live"]
        with pytest.raises(ValueError, match=r"no kernel 4\.4; there are 5\.10"):
            choose(kernels, ["4.4"])

    def test_6_1_is_not_6_12(self) -> None:
        assert Kernel("6.1", "bookworm").is_release("6.1.0-50-amd64")
        assert not Kernel("6.1", "bookworm").is_release("6.12.117+deb13-amd64")
        assert Kernel("live+sid", "sid").is_release("6.12.117+deb13-amd64")


class TestResults:
    def test_there_and_back(self, tmp_path: Path) -> None:
        report = GuestReport("6.1.0", 20.5, {"list": GOOD.lasting(1.26), "left over": BAD}, finished=True)
        report.write(tmp_path / "report.json")
        assert GuestReport.read(tmp_path / "report.json") == report
        assert report.results["list"].seconds == 1.3

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"release": "6.1", "uptime": 1, "results": {"list": {}}}'])
    def test_half_a_report_is_none(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "report.json").write_text(text)
        with pytest.raises(ValueError, match=r"report|JSON|Expecting"):
            GuestReport.read(tmp_path / "report.json")

    def test_a_missing_result_is_red(self) -> None:
        assert not row(list=GOOD, left_over=GOOD).is_red(TITLES)
        assert row(list=GOOD).is_red(TITLES)
        assert row(list=GOOD, left_over=BAD).is_red(TITLES)
        assert not row(list=GOOD, left_over=Result.skipped("no such thing here")).is_red(TITLES)

    def test_merging(self) -> None:
        document = merged([row(list=GOOD, left_over=GOOD), row(list=GOOD)], TITLES, 100)
        assert not document["ok"]
        assert document["kernels"]["7.2"]["checks"]["left over"]["status"] == "failed"
        assert json.loads(json.dumps(document)) == document
        assert merged([row(list=GOOD, left_over=GOOD)], TITLES, 1)["ok"]
        assert not merged([], TITLES, 1)["ok"]


class TestTable:
    def test_all_green(self) -> None:
        text = render([row(list=GOOD, left_over=Result.skipped("why"))], TITLES)
        assert text == "kernel  boot  list  left over  seconds\n7.2     20 s  12    n/a        61\n"

    def test_what_is_red_is_marked_and_explained(self) -> None:
        reports = [row(list=GOOD, left_over=BAD), row(left_over=GOOD)]
        assert "RED 3 left" in render(reports, TITLES)
        assert "RED missing" in render(reports, TITLES)
        assert explain(reports, TITLES) == "7.2, left over: RED 3 left\n    prog 7\n7.2, list: RED missing\n"

    def test_a_dead_machine_shows_its_console(self) -> None:
        report = Report("5.10", "", Result.failed("failed", "the time limit"), {}, 9, ("Kernel panic",))
        assert "    the time limit\n" in explain([report], ())
        assert explain([report], ()).endswith("5.10: the end of the console:\n    Kernel panic\n")


class TestGathering:
    """What a run left in its folder becomes a row; everything but a whole report is red."""

    CHECKS = tuple(check for check in CHECKS if check.title in TITLES)

    def gather(self, folder: Path, problem: str | None = None, name: str = "7.2") -> Report:
        plan = rows.Plan(folder, self.CHECKS)
        return rows.gather(Kernel(name, "sid"), plan, folder, problem, time.monotonic())

    def write(self, folder: Path, finished: bool = True) -> None:
        GuestReport("7.2.13", 20.5, dict.fromkeys(TITLES, GOOD), finished).write(folder / guest.REPORT)

    def test_a_whole_report_is_green(self, tmp_path: Path) -> None:
        self.write(tmp_path)
        assert not self.gather(tmp_path).is_red(TITLES)

    def test_no_report(self, tmp_path: Path) -> None:
        (tmp_path / "console").write_text("Booting\nKernel panic - not syncing: \x1b[31mattempted\x07\n")
        report = self.gather(tmp_path)
        assert report.is_red(TITLES)
        assert "no result" in report.boot.details[0]
        assert report.console == ("Booting", "Kernel panic - not syncing: [31mattempted")

    def test_an_unfinished_report(self, tmp_path: Path) -> None:
        self.write(tmp_path, finished=False)
        assert self.gather(tmp_path).boot.details == ("it ended before its checks did",)

    def test_a_time_limit_is_red_even_with_a_report(self, tmp_path: Path) -> None:
        self.write(tmp_path)
        assert self.gather(tmp_path, "the time limit of 60 s was reached").is_red(TITLES)

    def test_another_kernel_than_asked_for(self, tmp_path: Path) -> None:
        self.write(tmp_path)
        assert self.gather(tmp_path, name="6.1").boot.details == ("another kernel than asked for: 7.2.13",)

    def test_a_kernel_that_cant_be_had_is_neither_red_nor_green(self, tmp_path: Path) -> None:
        report = rows.not_run(Kernel("7.2", "sid"), rows.Plan(tmp_path, self.CHECKS), "no network")
        assert not report.is_red(TITLES)
        assert not merged([report], TITLES, 1)["ok"]
        assert "7.2, boot: n/a\n    no network\n" in explain([report], TITLES)

    def test_what_another_userspace_says_nothing_of(self, tmp_path: Path) -> None:
        root = Kernel("live+sid", "sid")
        plan = rows.Plan(tmp_path, CHECKS)
        made = {check.title for check in rows.made_there(root, plan)}
        assert set(titles()) - made == {"events", "formats", "print fmts"}
        GuestReport("7.2.13", 20.5, dict.fromkeys(made, GOOD), finished=True).write(tmp_path / guest.REPORT)
        report = rows.gather(root, plan, tmp_path, None, 10)
        assert not report.is_red(plan.titles)
        assert report.boot.cell == "10 s"
        assert report.results["formats"].status is Status.SKIPPED


def fail(_: Context) -> Result:
    raise RuntimeError("no such luck")


def die(_: Context) -> Result:
    os.write(2, b"last words\n")
    os.kill(os.getpid(), signal.SIGKILL)
    return GOOD


def hang(_: Context) -> Result:
    time.sleep(60)
    return GOOD


class TestGuest:
    def run(self, folder: Path, *runs: Callable[[Context], Result]) -> GuestReport:
        checks = [Check(run.__name__, run, seconds=0.3 if run is hang else 60) for run in runs]
        return guest.run_all(Context(folder), checks)

    def test_whatever_becomes_of_one_check_the_others_are_made(self, tmp_path: Path) -> None:
        report = self.run(tmp_path, fail, die, hang, lambda _: GOOD)
        assert report.finished
        assert GuestReport.read(tmp_path / guest.REPORT) == report
        cells = [(result.status, result.cell) for result in report.results.values()]
        failed = Status.FAILED
        assert cells == [(failed, "RuntimeError"), (failed, "died (-9)"), (failed, "time limit"), (Status.OK, "12")]

    def test_none_is_chosen(self, tmp_path: Path) -> None:
        guest.main([str(tmp_path), "--check", "--module", "xfs"])
        report = GuestReport.read(tmp_path / guest.REPORT)
        assert report.finished
        assert report.results == {}

    def test_their_words_are_kept(self, tmp_path: Path) -> None:
        report = self.run(tmp_path, fail, die)
        assert report.results["fail"].details[-1] == "RuntimeError: no such luck"
        assert report.results["die"].details == ("last words",)

    def test_what_a_check_left_running_ends_with_it(self, tmp_path: Path) -> None:
        def leave(context: Context) -> Result:
            child = subprocess.Popen(["/bin/sleep", "60"])
            return Result.of(True, str(child.pid))

        pid = self.run(tmp_path, leave).results["leave"].cell
        end = time.monotonic() + 10
        while is_running(int(pid)):
            assert time.monotonic() < end
            time.sleep(0.01)


class TestChecks:
    def test_titles_are_told_apart(self) -> None:
        assert len(set(titles())) == len(CHECKS)
        assert len({check.file_name for check in CHECKS}) == len(CHECKS)

    def test_choosing(self) -> None:
        assert matrix.choose_checks([]) == CHECKS
        assert [check.title for check in matrix.choose_checks(["formats", "list"])] == ["list", "events", "formats"]
        rest = [check.title for check in matrix.choose_checks([], ["live suite", "list"])]
        assert rest == [title for title in titles() if title not in ("list", "live suite")]
        with pytest.raises(ValueError, match="no column lists; there are userspace, list, "):
            matrix.choose_checks(["lists"])

    def test_the_cross_section_has_60_events(self) -> None:
        events = read_cross_section(CROSS_SECTION.read_text())
        assert len(events) == len(set(events)) == 60

    def test_the_cross_section_has_events_whose_values_only_ftrace_sees(self) -> None:
        there = set(read_cross_section(CROSS_SECTION.read_text()))
        tree = Tracefs.captured_tree(FIXTURES / "7.2-x86_64")
        with_values = [e for e in there & set(tree.event_ids()) if "_val" in tree.format_text(e)]
        assert len(with_values) >= 4

    def test_reading_pytests_words(self, tmp_path: Path) -> None:
        log = tmp_path / "log"
        log.write_text(
            "tests/live/test_a.py::test_b[a\\nb\"] PASSED [ 33%]\n"
            "tests/live/test_a.py::test_c FAILED [ 66%]\n"
            "tests/live/test_a.py::test_d SKIPPED (not root) [100%]\n"
            "=== short test summary info ===\nFAILED tests/live/test_a.py::test_c - AssertionError\n"
        )
        result = check_live_suite.read_live(log, 1)
        assert (result.status, result.cell) == (Status.FAILED, "1 passed, 1 failed, 1 skipped")
        assert "FAILED tests/live/test_a.py::test_c - AssertionError" in result.details

    def test_every_event_must_be_accounted_for(self) -> None:
        assert not check_drain.judge([0, 1, 2], 0, 3).is_red
        assert not check_drain.judge([0, 2], 1, 3).is_red
        assert check_drain.judge([0, 2], 0, 3).details == ("1 events gone without a word",)
        assert check_drain.judge([0, 2, 1], 0, 3).is_red
        assert check_drain.judge([0, 1, 1], 0, 3).is_red
        assert check_drain.judge([], 3, 3).is_red

    def test_an_account_has_to_say_what_happened(self) -> None:
        def judged(numbers: Sequence[int], lost: int, told: int) -> list[str]:
            names = [(check_ledger.NAME % number).encode() for number in numbers]
            event = TracepointId.parse("syscalls:sys_enter_unlinkat")
            account = Account(event, check_ledger.FLOOD, delivered=8, lost={Cause.RING_FULL: lost})
            return check_ledger.judge(names, told, account, fails=False, must_lose=True)

        rest = check_ledger.FLOOD - 8
        assert judged(range(8), rest, rest) == []
        assert "not balanced" in judged(range(8), rest - 1, rest - 1)[0]
        assert judged(range(7), rest, rest) == ["8 are said to be delivered, 7 were"]
        for numbers in ([*range(7), check_ledger.FLOOD], [0, 2, 1, *range(3, 8)], [0, 0, *range(2, 8)]):
            assert judged(numbers, rest, rest) == ["names that nobody made, or out of order, or twice"]
        assert judged(range(8), rest, 0) == [f"the consumer was told of 0 losses of {rest}"]

    def test_hashed_pointers_are_compared_as_such(self) -> None:
        ours = f"skbaddr={check_rendering.HIDDEN} len=(3)"
        assert check_rendering.is_same(ours, "skbaddr=00000000abcdef01 len=(3)")
        assert check_rendering.is_same(ours, "skbaddr=(____ptrval____) len=(3)")
        assert not check_rendering.is_same(ours, "skbaddr=00000000abcdef01 len=(4)")
        assert not check_rendering.is_same(ours, "skbaddr=0 len=(3)")

    def test_a_suite_without_a_test_is_no_success(self, tmp_path: Path) -> None:
        (tmp_path / "log").write_text("tests/live/test_a.py::test_d SKIPPED (not root) [100%]\n")
        assert check_live_suite.read_live(tmp_path / "log", 0).is_red
        assert check_live_suite.read_live(tmp_path / "missing", 0).is_red


class TestImages:
    def test_the_mirror_is_the_machines_own(self) -> None:
        targets = (
            "http://security.example/debian-security/|bookworm-security|main\n"
            "http://other.example/apt/|stable|main\n"
            "http://mirror.example/debian/|bookworm|contrib\n"
            "http://mirror.example/debian/|bookworm|main\n"
        )
        assert images.choose_mirror(targets) == "http://mirror.example/debian/"
        with pytest.raises(MatrixError, match="no Debian archive"):
            images.choose_mirror("http://other.example/ubuntu/|noble|main\n")

    def test_a_kernels_own_packages(self) -> None:
        depends = (
            "linux-image-7.2.13+deb14-amd64\n"
            " |Depends: kmod\n"
            "  Depends: linux-base\n"
            "  Depends: linux-binary-7.2.13+deb14-amd64\n"
            "  PreDepends: linux-modules-7.2.13+deb14-amd64\n"
            "  Depends: <linux-initramfs-tool>\n"
        )
        assert images.kernel_parts(depends) == ["linux-binary-7.2.13+deb14-amd64", "linux-modules-7.2.13+deb14-amd64"]

    def test_a_folder_that_isnt_complete_is_no_image(self, tmp_path: Path) -> None:
        with pytest.raises(OSError, match="image"):
            images.Image.read(tmp_path)
        image = images.Image(tmp_path, "6.1.0", ("xfs",))
        image.write()
        assert images.Image.read(tmp_path) == image


class TestRoots:
    def test_one_can_reach_what_this_machine_can(self, tmp_path: Path) -> None:
        host, root = tmp_path / "host", tmp_path / "root"
        for folder in ("etc/apt/apt.conf.d", "usr/local/share/ca-certificates"):
            (root / folder).mkdir(parents=True)
        (root / "etc/resolv.conf").symlink_to("/run/elsewhere/resolv.conf")
        (host / "etc").mkdir(parents=True)
        (host / "etc/resolv.conf").write_text("nameserver 192.0.2.1\n")
        certificate = host / "usr/local/share/ca-certificates/company/ours.crt"
        certificate.parent.mkdir(parents=True)
        certificate.write_text("of ours")
        roots.prepare(root, host)
        assert (root / "etc/resolv.conf").read_text() == "nameserver 192.0.2.1\n"
        assert (root / "usr/local/share/ca-certificates/ours.crt").read_text() == "of ours"
        assert "Valid-Until" in (root / "etc/apt/apt.conf.d/99tpkit-matrix").read_text()

    def test_variables_that_name_files_of_ours_stay_out(self, tmp_path: Path) -> None:
        (tmp_path / "etc").mkdir()
        (tmp_path / "etc/ca.pem").touch()
        own = {
            "PIP_CERT": "/etc/ca.pem",
            "PIP_FIND_LINKS": "/srv/wheels",
            "PIP_INDEX_URL": "https://index.example/",
            "HTTPS_PROXY": "http://proxy.example:3128",
            "PYTHONPATH": "/srv",
            "HOME": "/home/a",
        }
        found = roots.environment(own, tmp_path)
        assert found.keys() - {"PATH", "LANG", "TERM"} == {"PIP_CERT", "PIP_INDEX_URL", "HTTPS_PROXY", "HOME"}
        assert found["HOME"] == "/root"

    def test_a_command_stays_one(self, tmp_path: Path) -> None:
        command = roots.enter(tmp_path / "a b", tmp_path, ["make", "a b"], {"NAME": "a; b"})
        assert command[:2] == ["unshare", "--mount"]
        assert command[-5:] == [tmp_path / "a b", tmp_path, "NAME=a; b", "make", "a b"]

    def test_a_version_is_cut(self) -> None:
        assert check_userspace.minor("0.31.0+ds") == "0.31"
        assert check_userspace.minor(None) == ""


# Two machines that run, with something of their own session each, and a third that waits for its turn.
ROWS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from tests.matrix.commands import run_within
from tests.matrix.ending import ended_by_signals

MACHINE = "setsid sleep 61 & echo $!; trap 'echo asked; exit 9' TERM; echo $$; sleep 62 & wait; sleep 63"

def run(name):
    run_within(["/bin/sh", "-c", MACHINE], Path(sys.argv[1], name), 60, stop=stop)

stop = Event()
with ended_by_signals(stop), ThreadPoolExecutor(2) as pool:
    list(pool.map(run, ["one", "two", "three"]))
"""


class TestEnding:
    def start(self, folder: Path, *prefix: str) -> tuple[subprocess.Popen[bytes], list[int]]:
        """The program, and the processes of its two machines."""
        # Who runs the tests may have signals ignored, as a shell does for what it runs in the background.
        defaults = ["/usr/bin/env", "--default-signal"]
        process = subprocess.Popen([*defaults, *prefix, sys.executable, "-c", ROWS, str(folder)], cwd=TREE)
        end = time.monotonic() + 30
        while len(pids := self.words(folder)) < 4:
            assert time.monotonic() < end
            time.sleep(0.01)
        return process, [int(pid) for pid in pids]

    def words(self, folder: Path) -> list[str]:
        return [word for name in ("one", "two") for word in self.log(folder / name).split()]

    def log(self, path: Path) -> str:
        return path.read_text() if path.exists() else ""

    @pytest.mark.parametrize("number", SIGNALS)
    def test_a_signal_ends_all_machines(self, tmp_path: Path, number: signal.Signals) -> None:
        process, pids = self.start(tmp_path)
        started = time.monotonic()
        process.send_signal(number)
        assert process.wait(30) == 128 + number
        assert time.monotonic() - started < 10
        assert not any(map(is_running, pids))
        assert self.words(tmp_path).count("asked") == 2
        assert self.log(tmp_path / "three") == ""

    def test_what_the_caller_ignores_stays_ignored(self, tmp_path: Path) -> None:
        process, pids = self.start(tmp_path, "/bin/sh", "-c", 'trap "" HUP; exec "$@"', "sh")
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
        assert not any(map(is_running, pids))

    def test_one_that_will_not_listen(self) -> None:
        deaf = subprocess.Popen(["/bin/sh", "-c", "trap '' TERM; echo; exec sleep 60"], stdout=subprocess.PIPE)
        with deaf:
            assert deaf.stdout is not None
            deaf.stdout.readline()
            assert deaf.pid in descendants(os.getpid())
            end_all([deaf.pid], grace=0.1)
            assert deaf.wait(10) == -signal.SIGKILL


class TestCommands:
    def test_the_words_of_what_failed(self) -> None:
        assert output("/bin/echo", "a") == "a\n"
        with pytest.raises(MatrixError, match=r"sh failed \(3\):\n    oops"):
            output("/bin/sh", "-c", "echo oops >&2; exit 3")

    def test_a_time_limit_ends_all_that_was_started(self, tmp_path: Path) -> None:
        started = time.monotonic()
        assert run_within(["/bin/sh", "-c", "sleep 60 & echo $!; wait"], tmp_path / "log", 0.3) is None
        assert time.monotonic() - started < 10
        child = int((tmp_path / "log").read_text())
        while is_running(child):
            assert time.monotonic() - started < 10
            time.sleep(0.01)

    def test_a_tail_is_fit_to_be_printed(self, tmp_path: Path) -> None:
        (tmp_path / "log").write_bytes(b"one\n\n\x1b[2Jtwo\xff\n")
        assert tail(tmp_path / "log") == ("one", "[2Jtwo\ufffd")
        assert tail(tmp_path / "missing") == ()


class TestMachine:
    def test_scripts_quote_what_they_are_given(self, tmp_path: Path) -> None:
        image = images.Image(tmp_path / "a b", "7.2", ())
        text = machine.Starter(tmp_path, Path("/a user's tree"), tmp_path).scripts(image, ["python", "a b"])
        assert "tree='/a user'\"'\"'s tree'" in text["start"]
        assert "python 'a b' || status=$?\n" in text["inside"]

    def test_an_emulated_machines_processors_share_a_thread(self, tmp_path: Path) -> None:
        image = images.Image(tmp_path, "7.2", ())
        starter = machine.Starter(tmp_path, tmp_path, tmp_path)
        assert machine.CPUS > 1
        assert any("thread=single" in str(word) for word in starter.command(image, tmp_path))
        assert "-accel" not in replace(starter, kvm=True).command(image, tmp_path)

    def test_another_qemu(self, tmp_path: Path) -> None:
        image = images.Image(tmp_path, "7.2", ())
        starter = machine.Starter(tmp_path, tmp_path, tmp_path)
        assert "--qemu-bin" not in starter.command(image, tmp_path)
        words = replace(starter, qemu=Path("/opt/qemu")).command(image, tmp_path)
        assert words[words.index("--qemu-bin") + 1] == Path("/opt/qemu")

    def test_each_kernel_has_a_folder_for_what_its_machines_compiled(self, tmp_path: Path) -> None:
        starter = machine.Starter(tmp_path, tmp_path, tmp_path)
        for name in ("5.10", "7.2"):
            words = starter.command(images.Image(tmp_path / name, name, ()), tmp_path)
            assert f"{machine.PROGRAMS}={tmp_path}/{name}/programs" in words
        before, after = starter.scripts(images.Image(tmp_path, "7.2", ()), ["the-checks"])["inside"].split("the-checks")
        assert f"cp {machine.PROGRAMS}/program-* /var/cache/tpkit" in before
        assert after.endswith("keep\nexit $status\n")  # the checks' status is the machine's, whatever could be kept

    def test_a_copy_has_what_the_checkout_has(self, tmp_path: Path) -> None:
        for name in ("tpkit/a.py", ".venv/bin/python", ".git/HEAD", ".ci/run", "tests/.mypy_cache/x"):
            (tmp_path / "tree" / name).parent.mkdir(parents=True)
            (tmp_path / "tree" / name).touch()
        copy = machine.copy_of(tmp_path / "tree", tmp_path / "copy")
        assert sorted(str(p.relative_to(copy)) for p in copy.rglob("*") if p.is_file()) == [".ci/run", "tpkit/a.py"]

    def test_the_cache_is_where_it_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(packages.VARIABLE, str(tmp_path / "cache"))
        assert packages.cache_folder() == tmp_path / "cache"
        assert (tmp_path / "cache").is_dir()
        monkeypatch.setenv(packages.VARIABLE, "/srv/a b")
        with pytest.raises(MatrixError, match="plain characters"):
            packages.cache_folder()

    def test_at_least_one_machine(self) -> None:
        assert rows.machines_at_once() >= 1
