from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.core.team_draft import Draft, team_draft

rankings = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8)


@given(rankings, rankings, st.integers(1, 10), st.integers(0, 99))
def test_a_list_is_drafted_fairly(one: list[str], other: list[str], length: int, seed: int) -> None:
    draft = team_draft({"new": one, "old": other}, length, np.random.default_rng(seed))
    assert len(draft.labels) == len(set(draft.labels)) == min(length, len({*one, *other}))
    assert len(draft.teams) == len(draft.labels)
    for at, (label, team) in enumerate(zip(draft.labels, draft.teams, strict=True)):
        tops = [[x for x in side if x not in draft.labels[:at]][:1] for side in (one, other)]
        assert [label] in tops
        before = draft.teams[:at]
        assert (team == "") == (tops[0] == tops[1] and before.count("new") == before.count("old"))
        assert team == "" or tops[0 if team == "new" else 1] == [label]
        if team and all(tops):
            assert before.count(team) == min(before.count("new"), before.count("old"))
    mirrored = team_draft({"old": other, "new": one}, length, np.random.default_rng(seed))
    assert mirrored == draft


def test_equal_rankings_earn_nobody_a_vote() -> None:
    draft = team_draft({"new": list("abc"), "old": list("abc")}, 3, np.random.default_rng(0))
    assert draft == Draft(("a", "b", "c"), ("", "", ""))
    assert draft.shared == 3
    assert draft.vote("a") == draft.vote("elsewhere") == ""


def test_over_all_pairs_of_rankings_no_team_is_preferred_and_the_better_rank_wins() -> None:
    rng = np.random.default_rng(0)
    wins = {"new": 0, "old": 0, "": 0}
    for one in permutations("abcd"):
        for other in permutations("abcd"):
            for _ in range(4):
                draft = team_draft({"new": one, "old": other}, 4, rng)
                vote = draft.vote("a")
                wins[vote] += 1
                if one.index("a") == 0 != other.index("a"):
                    assert vote == "new"
    assert abs(wins["new"] - wins["old"]) < 3 * np.sqrt(wins["new"] + wins["old"])
    with pytest.raises(ValueError, match="Two rankings"):
        team_draft({"new": ["a"]}, 3, rng)
