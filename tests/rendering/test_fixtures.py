"""Our text equals the kernel's: for the recorded records everywhere, and for all on the live kernel."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.rendering import fixtures
from tests.rendering.compare import Outcome, compare_fixtures, compare_live
from tests.rendering.instance import TRACEFS
from tests.rendering.record import Tally

FOLDERS = sorted((Path(__file__).parents[1] / "fixtures/rendering").glob("*"))

# What a record doesn't hold: where the kernel keeps its page structs (vmemmap_base, moved at each boot), and
# the time at which the trace file was read (jiffies).
UNKNOWABLE = {
    "kmem:mm_page_alloc", "kmem:mm_page_alloc_zone_locked", "kmem:mm_page_free", "kmem:mm_page_free_batched",
    "kmem:mm_page_pcpu_drain",
    "writeback:writeback_single_inode", "writeback:writeback_single_inode_start",
}  # fmt: skip


def unexplained(outcome: Outcome) -> dict[str, tuple[str, str]]:
    """The first sample of each event that differs without a known reason: the kernel's text and ours."""
    return {
        event: (samples[0].expected, samples[0].got)
        for event, samples in outcome.differences.items()
        if event not in UNKNOWABLE
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_recorded_text_is_reproduced(folder: Path) -> None:
    outcome = compare_fixtures(folder)
    assert len(outcome.compared) >= 200
    assert unexplained(outcome) == {}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_recorded_text_tells_nothing_of_its_machine(folder: Path) -> None:
    assert [each.text for each in fixtures.read(folder) if not fixtures.is_publishable(each)] == []


@pytest.mark.live
@pytest.mark.skipif(
    os.geteuid() != 0 or not (TRACEFS / "instances").is_dir(), reason="needs root and a mounted tracefs"
)
def test_live_text_is_reproduced() -> None:
    tally = Tally()
    outcome = compare_live(tally)
    assert len(tally.fired) >= 200
    assert unexplained(outcome) == {}
