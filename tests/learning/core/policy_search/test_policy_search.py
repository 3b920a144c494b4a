"""Every search keeps the contract: determined by its seed; what learns finds what was hidden for it."""

from collections.abc import Callable

import numpy as np
import pytest

from learning.core.augmentation import Applied, Policy
from learning.core.policy_search import SEARCHES, Choices, SearchSpace
from learning.core.policy_search.config import SearchConfig, config_from
from learning.core.policy_search.labels import too_few
from learning.core.policy_search.plan import ChildPlan
from learning.core.policy_search.session import (
    CONFIRMATION_SEEDS,
    FINALIST_SEEDS,
    FINALISTS,
    Session,
    Trial,
)
from learning.core.policy_search.space import space_from
from learning.core.policy_search.verdict import Verdict

EVERY = pytest.mark.parametrize("name", list(SEARCHES))
LEARNING = [name for name in SEARCHES if name != "random"]
RATE = 0.01
SPACE = SearchSpace(sub_policies=2, length=1)


def hidden(choices: Choices) -> float:
    """Turning and shifting help, inverting and solarizing hurt, each with what its probability is."""
    policy = SPACE.policy(choices)
    worth = {"rotate": 1, "translate-x": 1, "shear-x": 1, "invert": -1, "solarize": -1, "equalize": -1}
    gains = [worth.get(one.operation, 0) * one.probability for sub in policy.sub_policies for one in sub]
    return float(0.8 + 0.05 * sum(gains))


def played(
    name: str, seed: int, trials: int = 200, reward: Callable[[Choices], float] = hidden
) -> list[float]:
    rng = np.random.default_rng(seed)
    searcher, found = SEARCHES[name].begin(SPACE, RATE, seed), []
    for _ in range(trials // 10):
        asked = searcher.ask(10)
        rewards = np.array([reward(one) for one in asked])
        found += rewards.tolist()
        searcher.tell(asked, rewards + rng.normal(0, 0.01, 10))
    return found


@EVERY
def test_the_same_seed_and_rewards_give_the_same_proposals(name: str) -> None:
    found = played(name, 4, 30)
    assert found == played(name, 4, 30)
    assert found[:20] != played(name, 5, 20)


@EVERY
def test_proposals_are_policies_of_the_space(name: str) -> None:
    space = SearchSpace(("invert", "rotate"), 2, 3, 1, 1)
    searcher = SEARCHES[name].begin(space, RATE, 0)
    for _ in range(4):
        asked = searcher.ask(8)
        assert len(asked) == 8
        assert all(isinstance(space.policy(one), Policy) for one in asked)
        searcher.tell(asked, np.full(8, 0.5))


@pytest.mark.parametrize("name", LEARNING)
def test_what_learns_rises_and_beats_chance(name: str) -> None:
    mine, chance = np.array(played(name, 0)), np.array(played("random", 0))
    assert mine[-50:].mean() > mine[:50].mean() + 0.005
    assert mine[-50:].mean() > chance[-50:].mean() + 0.005


def quick(**changes: object) -> SearchConfig:
    fixed = ["none", "augmix", "rand-augment", "augmix"]  # none is met anyway, and nothing twice
    return config_from({"trials": 12, "together": 4, "search": "random", "fixed": fixed, **changes})


def worth(trial: Trial) -> float:
    """Of a kind that has one best policy: the one of trial 7; and the house's views are better than none."""
    return {"trial 7": 0.9, "views": 0.7, "rand-augment": 0.6, "joined": 0.8}.get(trial.candidate, 0.5)


def run(session: Session, told: int = 10**6) -> list[Trial]:
    done: list[Trial] = []
    while (batch := session.batch()) and len(done) < told:
        session.tell([worth(one) for one in batch])
        done += batch
    return done


def test_a_session_proposes_tries_the_best_again_and_compares_the_winner() -> None:
    session = Session(quick())
    done = run(session)
    assert [one.number for one in done] == list(range(len(done)))
    kinds = [one.kind for one in done]
    assert kinds.count("search") == 12
    assert kinds.count("finalist") == FINALIST_SEEDS * (FINALISTS + 1 + 2)
    assert kinds.count("confirmation") == CONFIRMATION_SEEDS * 4
    assert len(done) == Session.expected(quick())
    found = session.verdict()
    assert (found.candidate, found.best, found.better) == ("trial 7", "trial 7", True)
    assert found.policy == done[6].policy
    over = {name: gain.mean for name, gain in found.over("trial 7").items()}
    assert over == pytest.approx({"none": 0.4, "views": 0.2, "rand-augment": 0.3})
    assert found.instead == ""
    # Fresh seeds: none of the finals was used to choose, and rivals share them.
    searched = {one.seed for one in done if one.kind == "search"}
    finals = [one for one in done if one.kind == "confirmation"]
    assert not searched & {one.seed for one in finals}
    assert len({one.seed for one in finals}) == CONFIRMATION_SEEDS


def test_a_rival_may_have_the_candidates_name() -> None:
    rival = SearchSpace().policy((0,) * 30)
    session = Session(quick(rivals={"trial 7": rival.as_json()}))
    done = run(session)
    found = session.verdict()
    assert found.candidate == "trial 7"
    assert list(found.over("trial 7")) == ["none", "trial 7, in use", "rand-augment"]
    met = {one.candidate: one.policy for one in done if one.kind == "confirmation"}
    assert met == {"trial 7": done[6].policy, "none": None, "trial 7, in use": rival, "rand-augment": None}


def test_one_that_was_interrupted_goes_on_from_what_it_was_told() -> None:
    config = quick(search="ppo")
    whole = run(Session(config))
    told = run(first := Session(config), 9)
    again = Session(config)
    for start in range(0, len(told), 4):
        assert again.batch() == told[start : start + 4]
        again.tell([worth(one) for one in told[start : start + 4]])
    assert told + run(again) == whole
    assert first.config == again.config


def test_when_time_is_over_the_best_so_far_are_compared() -> None:
    session = Session(quick())
    run(session, 8)
    session.batch()
    session.enough()
    kinds = [one.kind for one in run(session)]
    assert "search" not in kinds
    assert session.verdict().candidate == "trial 7"


def test_what_does_worse_than_what_is_in_use_is_not_better() -> None:
    found = judged(quick(fixed=[]), {"none": 0.5, "views": 0.7})
    over = found.over(found.candidate)
    assert (over["none"].mean > 0, over["views"].mean > 0, found.better) == (True, False, False)
    assert found.words.startswith("+10.0 points against none (")
    assert "points against Turned and shifted (" in found.words


def judged(config: SearchConfig, fixed: dict[str, float]) -> Verdict:
    """Where every policy is worth 0.6."""
    session = Session(config)
    while batch := session.batch():
        session.tell([0.6 if one.policy else fixed[one.candidate] for one in batch])
    return session.verdict()


@pytest.mark.parametrize(
    ("fixed", "best", "better"),
    [
        ({"rand-augment": 0.8}, "rand-augment", True),
        ({"rand-augment": 0.61, "views": 0.7}, "rand-augment", False),  # the one in use is better still
        ({"rand-augment": 0.55}, "joined", True),
        ({"rand-augment": 0.8, "none": 0.9}, "rand-augment", False),
    ],
)
def test_a_fixed_augmentation_that_does_better_is_used_instead(
    fixed: dict[str, float], best: str, better: bool
) -> None:
    found = judged(quick(), {"none": 0.5, "views": 0.5, "augmix": 0.4, **fixed})
    if best == "joined":
        best = found.candidate
    assert (found.best, found.better) == (best, better)
    assert found.policy.sub_policies
    assert found.instead.startswith("RandAugment did better" if best == "rand-augment" else "")
    assert bool(found.instead) == (best == "rand-augment")


def test_a_fixed_one_that_loses_its_lead_is_not_used_instead() -> None:
    session = Session(quick(fixed=["rand-augment"]))
    while batch := session.batch():
        lead = 0.8 if batch[0].kind == "finalist" else 0.55
        session.tell([0.6 if one.policy else {"rand-augment": lead}.get(one.candidate, 0.5) for one in batch])
    found = session.verdict()
    assert (found.fixed, found.best, found.instead) == ("rand-augment", found.candidate, "")


def test_of_the_fixed_ones_the_one_in_use_may_be_the_best_and_stays() -> None:
    found = judged(quick(fixed=["views"]), {"none": 0.5, "views": 0.8})
    assert (found.best, found.better) == ("views", False)


@pytest.mark.parametrize(("gain", "better"), [(0.01, True), (1e-9, False), (0.0, False), (-0.01, False)])
def test_what_is_only_as_good_as_none_is_not_better(gain: float, better: bool) -> None:
    policy, rewards = Policy(((Applied("invert", 1, 1),),)), {"trial 1": [gain] * 3, "none": [0.0] * 3}
    assert Verdict(policy, "trial 1", "", "trial 1", [], rewards).better is better


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"space": {"operations": []}}, "The search space has no operation"),
        ({"space": {"operations": ["melt"]}}, "There is no operation 'melt'"),
        ({"space": {"operations": ["rotate", "rotate"]}}, "names an operation twice"),
        ({"space": {"magnitudes": 1}}, "number of magnitudes must be a whole number from 2"),
        ({"space": {"wings": 2}}, "A search space has no 'wings'"),
        ({"trials": 0}, "number of trials must be a whole number from 1"),
        ({"trials": 2.5}, "number of trials must be a whole number"),
        ({"rate": 0}, "learning rate must be above 0 and at most 1, not 0"),
        ({"rate": float("nan")}, "learning rate must be above 0 and at most 1, not nan"),
        ({"fraction": 0}, "fraction of the labels to use must be above 0"),
        ({"search": "guess"}, "There is no search 'guess'"),
        ({"child": {"size": "huge"}}, "There is no child 'huge'"),
        ({"child": {"rate": float("inf")}}, "child's learning rate must be above"),
        ({"colour": 1}, "A search configuration has no 'colour'; it has search"),
        ({"rivals": {"melt": None}}, "There is no augmentation 'melt'"),
        ({"fixed": ["melt"]}, "There is no augmentation 'melt'"),
        ({"fixed": "views"}, "fixed augmentations must be a list of names, not 'views'"),
        ({"child": {"labels": 3}}, "child's labels must be whole, from 4 to"),
    ],
)
def test_what_cannot_be_searched_gets_a_sentence(config: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        config_from(config)


def test_a_config_survives_json() -> None:
    config = SearchConfig(space=SearchSpace(("invert",)), child=ChildPlan("medium"), trials=7)
    assert config_from(config.as_json()) == config
    assert space_from(config.space.as_json()) == config.space


@pytest.mark.parametrize(
    ("labels", "classes", "sentence"),
    [
        ([0, 1, 2], 5, "There are 3 labels for 5 classes"),
        ([1, 1, 1, 1], 3, "All labels are of one class"),
        ([0, 1, 2, 2], 3, "No two classes have two labels each"),
        ([0, 0, 1, 1], 2, ""),
    ],
)
def test_too_few_labels_get_a_sentence(labels: list[int], classes: int, sentence: str) -> None:
    said = too_few(np.array(labels, np.int64), classes)
    assert said.startswith(sentence) if sentence else said == ""
