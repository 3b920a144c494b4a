"""A backbone's batch is measured once a machine; a file that is damaged or cannot be kept harms nobody."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from learning.core.throughput import Knee, Speed
from learning.services.knees import knee_here

FOUND = Knee(16, (Speed(1, 100.0), Speed(16, 900.0)))


class Measuring:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> Knee:
        self.times += 1
        return FOUND


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with override_settings(DATA_DIR=tmp_path):
        yield tmp_path / "batches"


def test_it_is_measured_once_a_backbone(folder: Path) -> None:
    measure = Measuring()
    assert [knee_here(digest="a" * 64, measure=measure) for _ in range(3)] == [FOUND] * 3
    assert measure.times == 1
    knee_here(digest="b" * 64, measure=measure)
    assert measure.times == 2
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("content", ["", "{", '{"batch": 0, "curve": []}', '{"batch": 4}', "[]"])
def test_a_damaged_file_is_measured_anew(folder: Path, content: str) -> None:
    measure = Measuring()
    knee_here(digest="a" * 64, measure=measure)
    next(folder.iterdir()).write_text(content)
    assert knee_here(digest="a" * 64, measure=measure) == FOUND
    assert knee_here(digest="a" * 64, measure=measure) == FOUND
    assert measure.times == 2


def test_where_nothing_can_be_written_it_is_measured_each_time(folder: Path) -> None:
    folder.write_text("no folder")
    measure = Measuring()
    assert knee_here(digest="a" * 64, measure=measure) == FOUND
    assert measure.times == 1
