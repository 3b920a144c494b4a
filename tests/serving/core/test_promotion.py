from hypothesis import given
from hypothesis import strategies as st

from serving.core.promotion import Evidence, evidence_json, verdict, with_bar


@st.composite
def measured(draw: st.DrawFn) -> Evidence:
    low, accuracy, high = sorted(draw(st.lists(st.floats(0, 1), min_size=3, max_size=3)))
    return Evidence(draw(st.integers(1, 99)), accuracy, low, high, draw(st.integers(1, 10_000)))


unmeasured = st.integers(1, 99).map(lambda version: Evidence(version, None, None, None, 0))
evidence = measured() | unmeasured


@given(evidence)
def test_the_first_model_is_always_promoted(candidate: Evidence) -> None:
    assert verdict(None, candidate).action == "promote"
    assert verdict(None, candidate).rule == "first-model"


@given(evidence, evidence)
def test_every_verdict_has_a_rule_and_a_reason_that_fit_the_decision(
    champion: Evidence, candidate: Evidence
) -> None:
    judged = verdict(champion, candidate)
    assert judged.action in ("promote", "hold")
    assert 0 < len(judged.rule) <= 60
    assert str(candidate.version) in judged.reason or "Accuracy" in judged.reason
    assert len(judged.reason) <= 300


@given(st.lists(measured(), min_size=2, max_size=30))
def test_however_many_champions_follow_none_is_below_what_one_before_it_had_surely(
    candidates: list[Evidence],
) -> None:
    champion, lows = candidates[0], [candidates[0].low or 0.0]
    for candidate in candidates[1:]:
        if verdict(champion, candidate).action == "promote":
            assert (candidate.accuracy or 0.0) >= max(lows)
            champion = with_bar(candidate, champion)
            lows.append(candidate.low or 0.0)


@given(measured(), measured())
def test_measured_versions_are_held_exactly_when_below_the_champions_interval(
    champion: Evidence, candidate: Evidence
) -> None:
    assert champion.low is not None
    assert candidate.accuracy is not None
    worse = candidate.accuracy < champion.low
    assert (verdict(champion, candidate).action == "hold") == worse


@given(measured(), measured(), measured())
def test_a_better_candidate_is_never_treated_worse(champion: Evidence, one: Evidence, two: Evidence) -> None:
    worse, better = sorted([one, two], key=lambda e: e.accuracy or 0)
    if verdict(champion, worse).action == "promote":
        assert verdict(champion, better).action == "promote"


@given(unmeasured, unmeasured)
def test_without_hold_out_labels_the_newest_answers(champion: Evidence, candidate: Evidence) -> None:
    assert verdict(champion, candidate).action == "promote"


@given(measured(), unmeasured)
def test_a_measured_champion_does_not_yield_to_an_unmeasured_one(
    champion: Evidence, candidate: Evidence
) -> None:
    assert verdict(champion, candidate).action == "hold"


@given(evidence | st.none(), evidence)
def test_the_stored_evidence_gives_the_same_verdict_again(
    champion: Evidence | None, candidate: Evidence
) -> None:
    stored = evidence_json(champion, candidate)
    first, second = stored["champion"], stored["candidate"]
    assert isinstance(second, dict)
    again = verdict(Evidence(**first) if isinstance(first, dict) else None, Evidence(**second))
    assert again == verdict(champion, candidate)
