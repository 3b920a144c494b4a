"""From a project's rules to probabilistic labels: what training reads beside people's labels."""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.core.methods import METHODS, NO_LABEL
from learning.core.weak.label_model import ABSTAIN, LabelModel
from learning.core.weak.rule_votes import RuleVotes
from learning.models import Learner, Rule
from learning.services.artifacts import artifact_put, canonical_json
from learning.services.pool_embeddings import PoolEmbeddings
from learning.services.snapshots import Snapshot, rows_of
from learning.services.votes import PoolVotes, goes_by_score, pool_votes

# So many items with votes are learned from: more of them teach little, and a fit takes seconds.
MOST_SOFT = 2_000

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Reckoned:
    """What rules say of the pool, and how far the label model believes them."""

    rules: Sequence[Rule]
    said: PoolVotes
    known: Ids  # (n,), people's labels of the same items; -1 where there is none
    model: LabelModel | None  # None without an item or a rule
    votes: RuleVotes  # of the items that people labelled


@dataclass(frozen=True)
class WeakLabels:
    """Items that rules speak of and no person has labelled."""

    reckoned: Reckoned
    rows: Ids  # (r,), of the embeddings
    record: dict[str, Any]  # what the snapshot keeps of them
    trainable: bool  # with people's labels, they name two classes or more


def rules_reckon(
    *, learner: Learner, snapshot: Snapshot, rules: Sequence[Rule], embeddings: PoolEmbeddings
) -> Reckoned:
    """Let the rules vote and the label model weigh them."""
    said = pool_votes(learner=learner, classes=snapshot.classes, rules=rules, embeddings=embeddings)
    known = np.full(len(said.items), ABSTAIN, np.int64)
    places = rows_of(snapshot.pool.rows, said.rows)
    known[places[places >= 0]] = snapshot.pool.labels[places >= 0]
    scored = [place for place, rule in enumerate(rules) if goes_by_score(rule)]
    votes = RuleVotes(said.votes, len(snapshot.classes), places, tuple(scored))
    model = votes.model(snapshot.pool.labels) if said.votes.size else None
    return Reckoned(rules, said, known, model, votes)


def weak_labels(*, learner: Learner, snapshot: Snapshot, embeddings: PoolEmbeddings) -> WeakLabels | None:
    """The soft labels of the learner's rules; None if its method takes none or no rule says anything."""
    if not METHODS[learner.method].uses_rules or not len(embeddings.ids):
        return None
    rules = list(Rule.objects.filter(question=learner.question_id, enabled=True))
    reckoned = rules_reckon(learner=learner, snapshot=snapshot, rules=rules, embeddings=embeddings)
    said, model = reckoned.said, reckoned.model
    spoken = (said.votes != ABSTAIN).any(axis=1)
    if model is None or not spoken.any():
        return None
    free = np.flatnonzero(spoken & (reckoned.known == ABSTAIN))
    if len(free) > MOST_SOFT:
        free = np.sort(np.random.default_rng(learner.seed).choice(free, MOST_SOFT, replace=False))
    record = {
        "rules": [_as_record(rule, error) for rule, error in zip(rules, said.errors, strict=True)],
        "votes": _kept(np.column_stack([said.items, said.votes])[spoken]),
        "voted": int(spoken.sum()),
        "learned": len(free),
    }
    likeliest = model.soft_of(free).argmax(axis=1)
    trainable = len(np.union1d(snapshot.pool.labels, likeliest)) > 1
    return WeakLabels(reckoned, said.rows[free], record, trainable)


def labels_with_rules(snapshot: Snapshot, weak: WeakLabels | None) -> tuple[Ids, Ids, RuleVotes | None]:
    """Rows of the embeddings, people's labels (NO_LABEL for rows that only rules speak of), rules' votes."""
    people = snapshot.pool
    if weak is None:
        return people.rows, people.labels, None
    rows = np.concatenate([people.rows, weak.rows])
    labels = np.concatenate([people.labels, np.full(len(weak.rows), NO_LABEL)])
    return rows, labels, replace(weak.reckoned.votes, places=rows_of(rows, weak.reckoned.said.rows))


def snapshot_with_rules(snapshot: Snapshot, weak: WeakLabels | None) -> Snapshot:
    """The snapshot, whose digest now covers the rules and their votes too."""
    if weak is None:
        return snapshot
    content = canonical_json({**json.loads(snapshot.content), "weak": weak.record})
    return replace(snapshot, content=content, digest=hashlib.sha256(content).hexdigest())


def _as_record(rule: Rule, error: str) -> dict[str, Any]:
    said = {"name": rule.name, "label": rule.label_id, "when": rule.when, "table": rule.table}
    return {**said, "silent": error} if error else said


def _kept(votes: Ids) -> str:
    """The digest of the stored table (v, 1 + m): item, then the vote of each rule, -1 where it is silent."""
    out = io.BytesIO()
    np.save(out, votes, allow_pickle=False)
    return artifact_put(data=out.getvalue(), suffix=".npy")
