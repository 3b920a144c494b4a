"""What `benchmarks.labels` prints, and how it plays a modAL user, on real pictures."""

from dataclasses import replace

import numpy as np

from benchmarks.label_runs import as_modal_users_do, drawn
from benchmarks.label_tables import table_rows
from benchmarks.pictures import digits


def test_a_single_run_has_no_interval() -> None:
    (row,) = table_rows("digits", "auto", "transfer", [30], [{30: 90.0}], [{30: 80.0}])
    assert (row["- random"], row["from"], row["to"]) == (10.0, "one run", "one run")


def test_several_runs_have_an_interval_around_their_mean() -> None:
    found, chance = [{30: 90.0}, {30: 92.0}, {30: 85.0}], [{30: 80.0}] * 3
    (row,) = table_rows("digits", "auto", "transfer", [30], found, chance)
    low, high = row["from"], row["to"]
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert 5.0 <= low < 9.0 < high <= 12.0


def test_a_modal_user_whose_first_labels_are_of_one_class_goes_on_at_random() -> None:
    every = digits()
    # A rare second class: the ten labels drawn first with this seed are all of the other.
    rare = replace(
        every, labels=((every.labels == 3) & (np.arange(len(every.labels)) % 3 == 0)).astype(np.int64)
    )
    pool, test = drawn(rare)
    first = np.random.default_rng(0).choice(pool, 10, replace=False)
    assert not rare.labels[first].any()
    measured = as_modal_users_do(rare, [10, 200], 0)
    constant = 100 * float(1 - rare.labels[test].mean())
    assert measured[10] == constant
    assert measured[200] > constant
