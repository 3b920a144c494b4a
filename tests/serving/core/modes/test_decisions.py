"""What each mode decides, rule by rule, and that its sentence tells it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from serving.core.modes import CHALLENGER, CHAMPION, MODES, Verdict, ab, bandit, canary, interleaving, shadow
from serving.core.modes.failures import Failures
from serving.core.statistics.burst import RECENT
from serving.core.statistics.contrast import ContrastSums
from serving.core.statistics.cuped import Moments
from serving.core.statistics.off_policy import OffPolicySums
from serving.core.statistics.strata import Stratum

SHADOW = shadow.Evidence(
    both_right=800, only_new=70, only_old=30, both_wrong=100, pairs=2000, agreements=1800
)
CANARY = canary.Evidence(
    seconds=700,
    champion=canary.Traffic(requests=9500, errors=10, slow=95),
    challenger=canary.Traffic(requests=500, errors=0, slow=5),
)
LAST = replace(CANARY, step=2, labels=(Stratum(900, 1000, 905, 1000),))


def said(verdict: Verdict) -> tuple[str, str]:
    return verdict.action, verdict.rule


@pytest.mark.parametrize(
    ("change", "config", "expected"),
    [
        ({}, {}, ("promote", "better")),
        ({"only_new": 30, "only_old": 70}, {}, ("roll_back", "worse")),
        ({"only_new": 55, "only_old": 45}, {}, ("hold", "watching")),
        ({"only_new": 55, "only_old": 45}, {"max_labels": 1000}, ("hold", "undecided")),
        ({"only_new": 55, "only_old": 45}, {"margin": 0.05}, ("promote", "no-worse")),
        ({"both_right": 0, "both_wrong": 0, "only_new": 40, "only_old": 1}, {}, ("hold", "few-labels")),
        ({"load_failed": True}, {}, ("roll_back", "load-failed")),
        ({"errors": 100}, {}, ("roll_back", "errors")),
        ({"errors": 20}, {}, ("promote", "better")),
    ],
)
def test_shadow(change: dict[str, Any], config: dict[str, Any], expected: tuple[str, str]) -> None:
    assert said(shadow.decide(shadow.Config(**config), replace(SHADOW, **change))) == expected


def traffic(**counts: int) -> canary.Traffic:
    return replace(CANARY.challenger, **counts)


@pytest.mark.parametrize(
    ("evidence", "config", "expected"),
    [
        (CANARY, {}, ("advance", "step-passed")),
        (replace(CANARY, seconds=60), {}, ("hold", "watching")),
        (replace(CANARY, challenger=traffic(requests=100)), {}, ("hold", "watching")),
        (replace(CANARY, challenger=traffic(errors=10)), {}, ("roll_back", "errors")),
        (replace(CANARY, challenger=traffic(slow=40)), {}, ("roll_back", "slow")),
        (replace(CANARY, challenger=traffic(slow=8)), {}, ("advance", "step-passed")),
        (
            replace(CANARY, seconds=1, challenger=traffic(errors_in_a_row=10)),
            {},
            ("roll_back", "errors-in-a-row"),
        ),
        (replace(CANARY, load_failed=True), {}, ("roll_back", "load-failed")),
        (replace(CANARY, labels=(Stratum(950, 1000, 120, 200),)), {}, ("roll_back", "less-accurate")),
        (LAST, {}, ("promote", "all-steps-passed")),
        (LAST, {"accuracy_margin": 0.01}, ("hold", "accuracy-open")),
        (replace(LAST, labels=()), {}, ("hold", "watching")),
        # Labels of the challenger only, in a period without any of the champion's.
        (replace(LAST, labels=(Stratum(0, 0, 90, 100),)), {}, ("hold", "accuracy-open")),
        (replace(LAST, labels=()), {"min_labels": 0}, ("promote", "all-steps-passed")),
    ],
)
def test_canary(evidence: canary.Evidence, config: dict[str, Any], expected: tuple[str, str]) -> None:
    verdict = canary.decide(canary.Config(**config), evidence)
    assert said(verdict) == expected
    assert verdict.state is None or verdict.state.step == 1


def test_errors_are_of_images_and_slow_answers_of_those_that_were_alone() -> None:
    counted = replace(CANARY.challenger, errors=6, images=100, slow=6, timed=20)
    verdict = canary.decide(canary.Config(), replace(CANARY, challenger=counted))
    shares = {one.name: one.value for one in verdict.figures if one.arm == CHALLENGER}
    assert (shares["errors"], shares["slow"]) == (0.06, 0.3)
    assert "6 errors in 100 requests" in verdict.reason
    # Where few clients stick to the arms, what it got of that kind is the baseline.
    many = replace(CANARY.challenger, slow=60, timed=400)
    few = replace(CANARY, champion=replace(CANARY.champion, slow=60, timed=400), challenger=many)
    assert canary.decide(canary.Config(), few).action == "advance"
    before = replace(few, champion=replace(few.champion, timed=None), challenger=replace(many, timed=None))
    assert said(canary.decide(canary.Config(), before)) == ("roll_back", "slow")


def test_both_arms_failing_together_is_not_the_challengers_fault() -> None:
    down = canary.Traffic(requests=5000, errors=2500, errors_in_a_row=50)
    evidence = replace(CANARY, champion=down, challenger=replace(down, requests=250, errors=125))
    assert canary.decide(canary.Config(), evidence).action != "roll_back"


@pytest.mark.parametrize("healthy", [0, 20, 300])  # blocks of 15 s: five minutes, more than an hour
def test_a_canary_forgives_no_burst_for_the_peace_before_it(healthy: int) -> None:
    calm = canary.Block(0, traffic(requests=700, errors=1), traffic(requests=37))
    burst = canary.Block(0, traffic(requests=2800, errors=3), traffic(requests=150, errors=8))
    blocks = (*(replace(calm, number=n) for n in range(healthy)), replace(burst, number=healthy))
    champion = traffic(requests=700 * healthy + 2800, errors=healthy + 3)
    challenger = traffic(requests=37 * healthy + 150, errors=8)
    evidence = canary.Evidence(
        seconds=15.0 * healthy + 60, champion=champion, challenger=challenger, blocks=blocks
    )
    assert said(canary.decide(canary.Config(), evidence)) == ("roll_back", "errors")
    # The newest blocks are enough, in whatever order.
    few = replace(evidence, blocks=blocks[: -RECENT - 1 : -1])
    assert canary.decide(canary.Config(), few) == canary.decide(canary.Config(), evidence)
    # A decision that was stored before there were blocks comes out as it did.
    before = canary.decide(canary.Config(), replace(evidence, blocks=()))
    assert (before.action == "roll_back") == (healthy == 0)


def moments(right: int, n: int) -> Moments:
    return Moments(n, right, right)


def ab_evidence(old: Moments, new: Moments, **more: ab.Measured) -> ab.Evidence:
    units = {CHAMPION: old.n + 900, CHALLENGER: new.n + 900}
    return ab.Evidence(units, {"accuracy": ab.Measured(old, new), **more})


def test_ab() -> None:
    config = ab.Config()
    better, worse = (
        ab_evidence(moments(850, 1000), moments(920, 1000)),
        ab_evidence(moments(920, 1000), moments(850, 1000)),
    )
    assert said(ab.decide(config, better)) == ("promote", "better")
    assert said(ab.decide(config, worse)) == ("roll_back", "worse")
    alike = ab_evidence(moments(900, 1000), moments(905, 1000))
    assert said(ab.decide(config, alike)) == ("hold", "watching")
    assert said(ab.decide(replace(config, planned_units=1000, max_units=2000), alike)) == (
        "hold",
        "undecided",
    )
    few = ab_evidence(moments(90, 1000), moments(90, 99))
    assert said(ab.decide(config, few))[1] == "sample-ratio"
    assert said(ab.decide(config, replace(few, units={}))) == ("hold", "few-units")
    lost = replace(better, units={CHAMPION: 10_000, CHALLENGER: 9_000})
    assert said(ab.decide(config, lost)) == ("hold", "sample-ratio")


def test_ab_does_not_buy_accuracy_with_errors_and_several_metrics_cost_evidence() -> None:
    config = ab.Config(metrics=("accuracy", "errors"))
    old, new = moments(850, 1000), moments(920, 1000)
    failing = ab_evidence(old, new, errors=ab.Measured(moments(10, 1000), moments(90, 1000)))
    verdict = ab.decide(config, failing)
    assert said(verdict) == ("roll_back", "worse")
    assert "errors +8.0%" in verdict.reason
    close = moments(897, 1000)
    alone = ab.decide(ab.Config(), ab_evidence(old, close))
    assert said(alone) == ("promote", "better")
    beside = ab_evidence(old, close, errors=ab.Measured(moments(10, 1000), moments(10, 1000)))
    assert ab.decide(config, beside).action == "hold"


def answers(old: tuple[int, int], new: tuple[int, int], **more: Any) -> bandit.Evidence:
    return bandit.Evidence({CHAMPION: bandit.Answers(*old), CHALLENGER: bandit.Answers(*new)}, **more)


def test_bandit() -> None:
    config = bandit.Config()
    assert said(bandit.decide(config, answers((80, 15), (90, 30)))) == ("hold", "few-labels")
    first = bandit.decide(config, answers((85, 20), (95, 10)))
    assert said(first) == ("reweight", "thompson")
    assert first.state is not None
    assert 0.9 < first.state.weights[""][CHALLENGER] <= 0.95
    assert sum(first.state.weights[""].values()) == 1
    waiting = answers((85, 20), (95, 10), weights=first.state.weights, labels_at_change=200)
    assert said(bandit.decide(config, waiting)) == ("hold", "batch")
    again = replace(waiting, labels_at_change=0)
    assert said(bandit.decide(config, again)) == ("hold", "same-shares")
    assert said(bandit.decide(config, answers((800, 200), (900, 100)))) == ("promote", "better")
    assert said(bandit.decide(config, answers((900, 100), (800, 200)))) == ("roll_back", "worse")
    assert said(bandit.decide(replace(config, max_labels=2000), answers((900, 100), (905, 95)))) == (
        "hold",
        "undecided",
    )


def test_bandit_by_class_splits_each_class_by_what_is_known_of_it() -> None:
    config = bandit.Config(by_class=True)
    of = {
        "cat": {CHAMPION: bandit.Answers(100, 20), CHALLENGER: bandit.Answers(118, 2)},
        "dog": {CHAMPION: bandit.Answers(118, 2), CHALLENGER: bandit.Answers(100, 20)},
        "owl": {CHAMPION: bandit.Answers(10, 0)},
    }
    sums = OffPolicySums(n=300, w=290, wr=250, w2=600, w2r=500, w2rr=500, phi=255, phi2=700)
    evidence = answers((228, 22), (218, 22), by_class=of, off_policy={CHAMPION: sums})
    verdict = bandit.decide(config, evidence)
    assert verdict.state is not None
    assert verdict.state.weights.keys() == {"", "cat", "dog"}
    shares = {
        context: bandit.split(config, verdict.state, context).weights[CHALLENGER]
        for context in ("cat", "dog", "owl")
    }
    assert shares["cat"] == 0.95
    assert shares["dog"] == 0.05
    assert shares["owl"] == verdict.state.weights[""][CHALLENGER]
    values = {one.name: one.value for one in verdict.figures if one.arm == CHAMPION}
    assert values["ips"] == pytest.approx(250 / 300, rel=1e-5)
    assert values["snips"] == pytest.approx(250 / 290, rel=1e-5)


def test_a_bandit_compares_what_both_would_have_right_of_the_same_traffic() -> None:
    """Better in an easy class that it answers mostly, and worse over all: pooled, it looks far better."""
    parts = []
    for share, rates in ((0.95, (0.97, 0.95)), (0.05, (0.55, 0.65))):
        for challenger in (True, False):
            chance = share if challenger else 1 - share
            n = round(20_000 * chance)
            right = np.arange(n) < round(n * rates[0 if challenger else 1])
            parts.append((np.full(n, challenger), np.full(n, chance), right))
    new, chances, rights = (np.concatenate(of) for of in zip(*parts, strict=True))
    counts = {
        who: bandit.Answers(int(rights[arm].sum()), int((~rights[arm]).sum()))
        for who, arm in ((CHALLENGER, new), (CHAMPION, ~new))
    }
    known = bandit.Evidence(counts, contrast=ContrastSums.of(new, chances, rights))
    config = bandit.Config(by_class=True, max_labels=10**6)
    verdict = bandit.decide(config, known)
    assert said(verdict) == ("roll_back", "worse")
    assert "right -4.0%" in verdict.reason
    # A decision that was stored before labels were weighed comes out as it did.
    assert said(bandit.decide(config, replace(known, contrast=None))) == ("promote", "better")


@pytest.mark.parametrize(
    ("mode", "better"),
    [
        ("ab", ab_evidence(moments(850, 1000), moments(920, 1000))),
        ("bandit", answers((800, 200), (900, 100))),
        ("interleaving", interleaving.Evidence(30, 70, 900)),
    ],
)
def test_a_challenger_that_fails_is_taken_back_however_good_its_other_answers_are(
    mode: str, better: ab.Evidence | bandit.Evidence | interleaving.Evidence
) -> None:
    def decided(failures: Failures) -> Verdict:
        found: Verdict = MODES[mode].decide(MODES[mode].config(), replace(better, failures=failures))
        return found

    assert said(decided(Failures())) == ("promote", "better")
    assert said(decided(Failures(2000, 10))) == ("promote", "better")
    found = decided(Failures(1800, 200))
    assert said(found) == ("roll_back", "errors")
    assert [one.value for one in found.figures if one.name == "failures"] == [0.1]
    assert said(decided(Failures(load_failed=True))) == ("roll_back", "load-failed")
    # Without any labels too.
    better = type(better)()
    assert said(decided(Failures(20, 20))) == ("roll_back", "errors")


def test_interleaving() -> None:
    config = interleaving.Config()
    votes = interleaving.Evidence(wins_champion=30, wins_challenger=70, ties=900, shared=850)
    verdict = interleaving.decide(config, votes)
    assert said(verdict) == ("promote", "better")
    delta = next(one for one in verdict.figures if one.name == "delta")
    assert delta.value == pytest.approx(0.02)
    assert delta.low is not None
    assert delta.low > 0
    swapped = replace(votes, wins_champion=70, wins_challenger=30)
    assert said(interleaving.decide(config, swapped)) == ("roll_back", "worse")
    assert said(interleaving.decide(config, replace(votes, wins_challenger=35))) == ("hold", "watching")
    alike = replace(votes, wins_challenger=35, ties=20_000)
    assert said(interleaving.decide(config, alike)) == ("hold", "undecided")
    assert said(interleaving.decide(config, interleaving.Evidence(3, 12, 500))) == ("hold", "few-votes")
