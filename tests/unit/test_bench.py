"""The bench's pure parts: peers' words, the search for a rate, tables, and that a name is found where it is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from bench import goals, load, loss, losses, tables
from bench.__main__ import MEASUREMENTS, effort_of, main, parse
from bench.consumer import slope
from bench.context import NEWEST, Effort
from bench.delivered import Delivered, by_count, by_dfd, by_name, whole_lines
from bench.errors import BenchError
from bench.load import LoadResult, prefix
from bench.peers import PerfTrace, version_of
from bench.search import HIGHEST, LOWEST, Attempt, highest_rate
from bench.tables import Column, Table, markdown
from bench.trial import Sample, Trial

ROOT = Path(__file__).parents[2]

PERF_REPORT = """
Aggregated stats:
           TOTAL events:     169986
            LOST events:        536  ( 0.3%)
          SAMPLE events:     153320  (90.2%)
    LOST_SAMPLES events:          2  ( 0.0%)
  FINISHED_ROUND events:      16117  ( 9.5%)
syscalls:sys_enter_unlinkat stats:
          SAMPLE events:     153320
    LOST_SAMPLES events:     145809
"""
PERF_REPORT_OF_NOTHING = """
Aggregated stats:
           TOTAL events:         12
            MMAP events:          1  ( 8.3%)
"""


class TestWordsOfLoss:
    @pytest.mark.parametrize(
        ("words", "lost"),
        [
            (b"Attaching 1 probe...\n1 tpkit-load -100 /x 0\n", 0),
            (b"Lost 17 events\n1 tpkit-load -100 /x 0\nLost 3 events\n", 20),
            (b"WARNING: Lost 2481 events\n", 2481),
        ],
    )
    def test_of_bpftrace_are_added_up(self, words: bytes, lost: int) -> None:
        assert losses.of_bpftrace(words) == lost

    def test_of_perf_trace_are_added_up(self) -> None:
        assert (
            losses.of_perf_trace(b"LOST 5 events!\n 0.1 syscalls:sys_enter_unlinkat(dfd: CWD)\nLOST 7 events!\n") == 12
        )

    def test_of_perf_record_are_the_events_own(self) -> None:
        assert losses.of_perf_report(PERF_REPORT) == losses.Account(153320, 145809)

    def test_of_perf_record_that_saw_nothing(self) -> None:
        assert losses.of_perf_report(PERF_REPORT_OF_NOTHING) == losses.Account(0, 0)

    def test_other_words_are_no_report(self) -> None:
        with pytest.raises(ValueError, match="perf report"):
            losses.of_perf_report("failed to open perf.data\n")

    @pytest.mark.parametrize(
        ("words", "account"),
        [
            ("tpkit: tracing x; Ctrl-C ends it\ntpkit: 1 event in 0.3 s, none lost\n", losses.Account(1, 0)),
            ("tpkit: 30020 events in 1.5 s, 92929 lost (ring buffer full)\n", losses.Account(30020, 92929)),
            ("tpkit: error: cannot attach\n", None),
        ],
    )
    def test_of_tpkit(self, words: str, account: losses.Account | None) -> None:
        assert losses.of_tpkit(words) == account


class TestSearch:
    @pytest.mark.parametrize("first", [100, 20_000, 1_000_000])
    @pytest.mark.parametrize("limit", [3_000, 85_000, 999_999])
    def test_comes_within_the_resolution(self, first: int, limit: int) -> None:
        found = highest_rate(lambda rate: Attempt(rate, rate, rate <= limit), first, 1.1)
        assert limit / 1.1 <= found.rate <= limit
        assert not found.held_back

    def test_a_tracer_that_holds_the_load_back_has_the_rate_that_was_reached(self) -> None:
        found = highest_rate(lambda rate: Attempt(rate, min(rate, 8_600), lossless=True), 5_000, 1.1)
        assert (found.rate, found.held_back) == (8_600, True)
        assert [attempt.wanted for attempt in found.attempts] == [5_000, 10_000]

    def test_a_loss_beyond_the_reach_of_the_load_isnt_searched_for_there(self) -> None:
        reach, limit = 750_000, 600_000
        found = highest_rate(lambda rate: Attempt(rate, min(rate, reach), rate <= limit), 100_000, 1.1)
        assert limit / 1.1 <= found.rate <= limit

    def test_ends_at_the_highest_rate(self) -> None:
        found = highest_rate(lambda rate: Attempt(rate, rate, lossless=True), 1_500_000, 1.1)
        assert found.rate == HIGHEST

    def test_nothing_is_lossless(self) -> None:
        found = highest_rate(lambda rate: Attempt(rate, rate, lossless=False), 20_000, 1.1)
        assert found.rate == 0
        assert min(attempt.wanted for attempt in found.attempts) == LOWEST

    def test_a_longer_measurement_has_the_last_word(self) -> None:
        carried_by_the_buffer, sustained = 400_000, 250_000
        confirmed: list[int] = []

        def confirm(rate: int) -> Attempt:
            confirmed.append(rate)
            return Attempt(rate, rate, rate <= sustained, share=min(1, 0.9 * sustained / rate))

        found = highest_rate(lambda rate: Attempt(rate, rate, rate <= carried_by_the_buffer), 100_000, 1.1, confirm)
        assert sustained / 1.1 <= found.rate <= sustained
        assert len(confirmed) <= 6

    def test_a_measurement_that_never_confirms(self) -> None:
        def confirm(rate: int) -> Attempt:
            return Attempt(rate, rate, lossless=False)

        assert highest_rate(lambda rate: Attempt(rate, rate, rate <= 300), 200, 1.5, confirm).rate == 0


def names(*numbers: int) -> bytes:
    return b"".join(b"7 tpkit-load -100 %b%010d 0\n" % (prefix(), number) for number in numbers)


class TestDelivered:
    def test_a_name_has_the_length_that_the_load_gives_it(self) -> None:
        assert len(prefix()) + load.DIGITS == load.LENGTH

    @pytest.mark.parametrize("size", [7, 64, 100, 1 << 20])
    def test_every_name_counts_once_wherever_chunks_end(self, tmp_path: Path, size: int) -> None:
        output = tmp_path / "output"
        output.write_bytes(names(*range(50)))
        assert by_name(output, 50, size) == Delivered(50)

    def test_what_is_missing_twice_cut_or_foreign(self, tmp_path: Path) -> None:
        output = tmp_path / "output"
        output.write_bytes(names(0, 1, 1, 3, 9) + names(2)[:-8])
        assert by_name(output, 5) == Delivered(3, twice=1, foreign=1)

    def test_knocks_dont_count(self, tmp_path: Path) -> None:
        output = tmp_path / "output"
        output.write_bytes(load.KNOCK.ljust(load.LENGTH - load.DIGITS, b"k") + b"0000000000 512\n")
        assert by_name(output, 5) == Delivered(0)

    def test_numbers_in_dfd(self, tmp_path: Path) -> None:
        lines = tmp_path / "lines"
        lines.write_text("".join(f"x: dfd: 0x{n:08x}, pathname: 0x1, flag: 0x0\n" for n in (0, 1, 1, 11)))
        assert by_dfd(lines, 12) == Delivered(3, twice=1)

    def test_lines_are_counted_without_knocks(self, tmp_path: Path) -> None:
        output = tmp_path / "output"
        call = '1.1 syscalls:sys_enter_unlinkat(dfd: CWD, pathname: ""'
        output.write_text(f"{call})\n{call}, flag: 512)\n{call})\nLOST 1 events!\n{call}, flag: REMOVEDIR)\n")
        assert by_count(output, 3, PerfTrace._line) == Delivered(2, checked=False)
        assert by_count(output, 1, PerfTrace._line) == Delivered(1, twice=1, checked=False)

    @pytest.mark.parametrize("size", [1, 5, 1000])
    def test_lines_are_whole_and_come_once(self, tmp_path: Path, size: int) -> None:
        output = tmp_path / "output"
        output.write_bytes(b"Lost 12 events\nx\nLost 3 events")
        pieces = list(whole_lines(output, size))
        assert b"".join(pieces) == output.read_bytes()
        assert sum(map(losses.of_bpftrace, pieces)) == 15


def trial(made: int, arrived: Delivered, reported: int | None = 0) -> Trial:
    return Trial("x", 0, LoadResult(made, 1000, 900, 2000, 0), arrived, reported, 1.0, 0.1, 0, 1, ())


class TestTrial:
    @pytest.mark.parametrize(
        ("arrived", "reported", "lossless"),
        [
            (Delivered(10), 0, True),
            (Delivered(9), 1, False),
            (Delivered(9), 0, False),
            (Delivered(10, twice=1), 0, True),
            (Delivered(10, foreign=1), 0, False),
            (Delivered(10, checked=False), 0, True),
            (Delivered(10, checked=False), 3, False),  # as many as were made, but some twice
        ],
    )
    def test_is_lossless_when_all_is_there(self, arrived: Delivered, reported: int, lossless: bool) -> None:
        assert trial(10, arrived, reported).is_lossless is lossless

    def test_a_report_is_compared_with_what_is_missing(self) -> None:
        exact, silent = trial(10, Delivered(6), 4), trial(10, Delivered(6), 0)
        assert loss._verdict([trial(10, Delivered(10))]) == "nothing lost"
        assert loss._verdict([exact]) == "exact in all 1 trials"
        assert loss._verdict([exact, silent]) == "wrong in 1 of 2; worst: 4 lost, 0 reported"
        assert loss._verdict([trial(10, Delivered(6, twice=2), 4)]).endswith("; 2 delivered twice")


class TestTables:
    TABLE = Table(
        "Rates",
        (Column("events/s"), Column("lag", "{:.1f}", has_ratio=False)),
        {NEWEST: [100_000, 0.5], "tpkit:text": [450_000, None], "strace": [None, 0]},
        NEWEST,
        {"strace": "stops it"},
    )

    def test_each_number_has_its_ratio(self) -> None:
        lines = markdown(self.TABLE).splitlines()
        assert lines[0] == "### Rates"
        assert [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[4:]] == [
            [NEWEST, "100,000 (1.00)", "0.5", ""],
            ["tpkit:text", "450,000 (4.50)", "-", ""],
            ["strace", "-", "0.0", "stops it"],
        ]
        assert len({len(line) for line in lines[2:]}) == 1

    def test_a_ratio_to_nothing_isnt_shown(self) -> None:
        assert tables.ratio(1.0, 0.0) is None
        assert tables.ratio(1.0, None) is None
        assert "(" not in markdown(Table("x", (Column("y"),), {"a": [1.0]}, NEWEST, {}))

    def test_goals_are_met_missed_or_not_measured(self) -> None:
        found = [str(goal) for goal in goals.goals({"rates": self.TABLE})]
        assert "NOT MET       lossless rate, text / newest bpftrace's >= 5: 4.50" in found
        assert any(line.startswith("not measured") and "overhead" in line for line in found)
        assert str(goals.Goal("x", 0.4, 0.5, at_most=True)).startswith("met ")

    def test_slope_is_that_of_the_second_half(self) -> None:
        early = [Sample(i, (100 + 10 * i) << 10) for i in range(5)]
        late = [Sample(i, (1000 + 2 * i) << 10) for i in range(5, 11)]
        assert slope([*early, *late]) == pytest.approx(2)
        assert slope(early[:2]) is None


class TestCommandLine:
    def test_effort_is_what_was_asked_for(self) -> None:
        assert effort_of(parse([])) == Effort()
        quick = effort_of(parse(["--quick", "--rounds", "3", "--seconds", "1"]))
        assert (quick.rounds, quick.starts, quick.seconds) == (3, 3, 1)

    def test_there_are_six_measurements(self) -> None:
        assert list(MEASUREMENTS) == ["overhead", "rates", "loss", "first-event", "cpu", "memory"]

    def test_needs_root(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        monkeypatch.setattr("os.geteuid", lambda: 1000)
        assert main([]) == 1
        assert "sudo make bench" in capsys.readouterr().err

    def test_a_peer_that_isnt_there_is_an_error_of_its_own(self) -> None:
        with pytest.raises(BenchError, match="can't be run"):
            version_of(["/nonexistent/perf"], "x")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed")
    return load.compiled(tmp_path_factory.mktemp("load"))


class TestLoad:
    def run(self, program: Path, *options: str) -> LoadResult:
        done = subprocess.run([program, *options], input=b"x", capture_output=True, check=True, timeout=60)
        return LoadResult.parse(done.stdout.decode())

    def test_makes_as_many_calls_as_it_is_told(self, program: Path) -> None:
        result = self.run(program, "-n", "1000")
        assert result.events == 1000
        assert result.wall_ns > 0

    def test_names_are_what_is_looked_for(self, program: Path, tmp_path: Path) -> None:
        strace = shutil.which("strace")
        if not strace:
            pytest.skip("strace is not installed")
        output = tmp_path / "output"
        command = [strace, "-o", str(output), "-e", "trace=unlinkat", str(program), "-n", "12"]
        if subprocess.run(command, input=b"x", capture_output=True, check=False, timeout=60).returncode:
            pytest.skip("strace can't trace here")
        assert by_name(output, 12) == Delivered(12)

    def test_nobody_says_when_to_start(self, program: Path) -> None:
        done = subprocess.run([program], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60)
        assert done.returncode == 2


def test_packages_of_the_bench_are_those_of_the_tests_and_two_more(tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text("ID=debian\n")

    def names_of(level: str) -> list[str]:
        command = [str(ROOT / "tools/setup"), "packages", level, str(tmp_path / "os-release")]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    assert names_of("bench") == [*names_of("test"), "linux-perf", "debootstrap"]
