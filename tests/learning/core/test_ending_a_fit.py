"""A fit says how far it is, and can be ended between its steps."""

from dataclasses import replace

import numpy as np
import pytest

from learning.core.methods import METHODS
from tests.learning.core.test_methods import clusters, digest, fit, with_everything

# Done within a millisecond, in one step.
CLOSED_FORM = {"prototypes"}


class Ended(Exception):
    pass


@pytest.mark.parametrize("name", list(METHODS))
def test_a_fit_ends_where_it_is_told_to_and_not_after_it(name: str) -> None:
    steps = 0

    def tick(words: str) -> None:
        nonlocal steps
        steps += 1

    data = replace(with_everything(clusters()), tick=tick)
    whole = digest(fit(name, data))
    assert whole == digest(fit(name, replace(with_everything(clusters())))), "being watched changed the model"
    assert steps >= (1 if name in CLOSED_FORM else 10)
    wanted, steps = max(1, steps // 2), 0

    def end(words: str) -> None:
        tick(words)
        if steps >= wanted:
            raise Ended

    with pytest.raises(Ended):
        fit(name, replace(data, tick=end))
    assert steps == wanted


def test_a_comparison_says_which_method_it_is_at() -> None:
    said: list[str] = []
    head = fit("auto", replace(with_everything(clusters()), tick=said.append))
    told = [words for words in said if words]
    assert told[0] == "comparing Transfer"
    assert told[-1] == f"learning by {head.note.partition(':')[0]}"
    assert len(told) == len(set(told)) > 3


def test_folds_and_committees_are_watched_too() -> None:
    ticks: list[str] = []
    data = replace(clusters(), tick=ticks.append)
    METHODS["transfer"].fit(data.rows(np.arange(30)), {}, np.random.default_rng(0))
    assert len(ticks) > 5
