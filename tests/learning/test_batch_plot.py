"""The plot of a run's batch sizes: all that it says lies inside it."""

import pytest

from learning.models import PretrainingRun
from learning.views.batch_plot import LETTER, WIDTH, batch_plots


@pytest.mark.parametrize(
    ("noise", "batch"),
    [(40.0, 256), (3.0, 8), (1_234_567.0, 8), (0.5, 16)],
)
def test_the_names_of_limits_at_its_edges_are_not_cut_off(noise: float, batch: int) -> None:
    curve = [{"batch": size, "speed": 100.0 + size, "memory": 1} for size in (8, 16, 32, 64, 128, 256)]
    choice = {"curve": curve, "knee": 128, "noise": noise, "batch": batch}
    run = PretrainingRun(
        config={"batches": {"vicreg": {**choice, "reason": "", "seconds": 1.0, "fits": 256}}}
    )
    (plot,) = batch_plots(run)
    for line in plot["lines"]:
        wide = LETTER * len(line["words"])
        left = {"start": 0.0, "middle": wide / 2, "end": float(wide)}[line["anchor"]]
        assert 0 <= line["x"] - left <= WIDTH - wide, line


@pytest.mark.parametrize(("fits", "shown"), [(700, True), (1000, False)])
def test_the_largest_batch_that_fits_is_drawn_where_memory_is_what_ends_it(fits: int, shown: bool) -> None:
    curve = [{"batch": size, "speed": 100.0 + size, "memory": 1} for size in (8, 16)]
    choice = {"curve": curve, "knee": 8, "noise": 20.0, "batch": 16, "fits": fits, "pictures": 1000}
    run = PretrainingRun(config={"batches": {"vicreg": {**choice, "reason": "", "seconds": 1.0}}})
    (plot,) = batch_plots(run)
    assert ("fits 700" in [line["words"] for line in plot["lines"]]) == shown
    assert plot["all_fit"] != shown
