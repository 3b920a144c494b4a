"""Rules are believed by the labels at hand alone: what is held back to judge by does not weigh them."""

from dataclasses import replace

import numpy as np

from learning.core.methods import METHODS, NO_LABEL, TrainingData
from learning.core.methods.folds import folds
from learning.core.weak.label_model import ABSTAIN, fitting_model
from learning.core.weak.rule_votes import RuleVotes


def ruled(known: int = 60, count: int = 400, seed: int = 0) -> TrainingData:
    """Two classes that embeddings tell nothing of; three rules that guess, of people's labels a part."""
    rng = np.random.default_rng(seed)
    truth = (np.arange(count) % 2).astype(np.int64)
    said = np.where(rng.random((count, 3)) < 0.5, rng.integers(0, 2, (count, 3)), ABSTAIN)
    labels = np.where(np.arange(count) < known, truth, NO_LABEL)
    votes = RuleVotes(said, 2, np.arange(count))
    embeddings = rng.normal(size=(count, 4)).astype(np.float32)
    return TrainingData(embeddings, labels, 2, soft=votes.soft(labels), votes=votes)


def test_rows_hide_the_labels_of_all_others_from_the_label_model() -> None:
    data = ruled()
    assert data.votes is not None
    rows = np.arange(20, 400)
    part = data.rows(rows)
    hidden = np.where(np.arange(400) < 20, ABSTAIN, data.labels)
    expected = fitting_model(data.votes.votes, 2, hidden).soft[rows]
    expected[part.labels != NO_LABEL] = np.eye(2)[part.labels[part.labels != NO_LABEL]]
    assert part.soft is not None
    assert data.soft is not None
    np.testing.assert_allclose(part.soft, expected)
    assert np.abs(part.soft - data.soft[rows]).max() > 1e-3, "the labels held back weighed nothing"


def test_what_a_fold_learns_is_the_same_whatever_its_held_back_labels_are() -> None:
    data = ruled()
    people = np.flatnonzero(data.labels != NO_LABEL)
    _, asked = folds(data.labels[people], 3, np.random.default_rng(0))[0]
    training = np.setdiff1d(np.arange(400), people[asked])
    turned = np.where(np.isin(np.arange(400), people[asked]), 1 - data.labels, data.labels)
    assert data.votes is not None
    other = replace(data, labels=turned, soft=data.votes.soft(turned))
    fitted = METHODS["weak-supervision"]
    heads = [fitted.fit(one.rows(training), {}, np.random.default_rng(0)) for one in (data, other)]
    np.testing.assert_array_equal(heads[0].weight, heads[1].weight)


def test_a_rule_that_goes_by_a_models_score_is_silent_where_labels_are_held_back() -> None:
    """That model learned from them: here it answers every labelled item as the person did."""
    data = ruled()
    assert data.votes is not None
    people = data.labels != NO_LABEL
    told = np.column_stack([data.votes.votes, np.where(people, data.labels, ABSTAIN)])
    scored = replace(data.votes, votes=told, scored=(3,), _kept={})
    by_all = replace(data, soft=scored.soft(data.labels), votes=scored)
    rows = np.arange(20, 400)
    silent = replace(scored, votes=np.column_stack([data.votes.votes, np.full(400, ABSTAIN)]), _kept={})
    some, expected = by_all.rows(rows).soft, silent.rows(rows).soft(data.labels[rows])
    assert some is not None
    np.testing.assert_array_equal(some, expected)
    heard = replace(scored, scored=(), _kept={}).rows(rows).soft(data.labels[rows])
    assert np.abs(heard - expected).max() > 1e-3


def test_a_comparisons_folds_share_their_label_models() -> None:
    data = ruled()
    assert data.votes is not None
    parts = folds(data.labels[:60], 3, np.random.default_rng(0))
    learned = [np.setdiff1d(np.arange(400), asked) for _, asked in parts]
    first = [data.rows(rows).votes for rows in learned]
    again = [data.rows(rows).votes for rows in learned]
    for one, other, rows in zip(first, again, learned, strict=True):
        assert one is not None
        assert other is not None
        assert one.model(data.labels[rows]) is other.model(data.labels[rows])
