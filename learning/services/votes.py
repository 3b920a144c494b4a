"""What rules say of a project's pool, never of its hold-out. Votes are kept while they hold."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelling.models import Item, Label
from labelling.selectors import pool_ids
from learning.core.export import head_read
from learning.core.methods import softmax
from learning.core.weak.conditions import BUILT_IN, RuleItems
from learning.core.weak.label_model import ABSTAIN
from learning.core.weak.rules import Rule as CoreRule
from learning.core.weak.rules import TableRule, rule_from_json
from learning.models import Learner, ModelVersion, Rule
from learning.services.artifacts import artifact_get, canonical_json
from learning.services.cache import Cache
from learning.services.pool_embeddings import PoolEmbeddings, embeddings_open
from learning.services.snapshots import rows_of

CHUNK = 5_000

Ids = NDArray[np.int64]
Column = NDArray[np.int16]  # (n,), positions in the question's labels; -1 where the rule is silent

_columns: Cache[Column] = Cache(size=200)
_tables: Cache[dict[str, int]] = Cache(size=4)


@dataclass(frozen=True)
class PoolVotes:
    items: Ids  # (n,), ids of the pool's items, ascending
    rows: Ids  # (n,), their rows of the embeddings; -1 where there are no embeddings at all
    votes: NDArray[np.int64]  # (n, m)
    errors: list[str]  # of each rule, why it is silent everywhere; "" if it could be asked


@dataclass(frozen=True)
class _Source:
    """What the rules of one project may look at."""

    learner: Learner
    classes: list[Label]
    items: Ids  # (n,)
    rows: Ids  # (n,)
    embeddings: PoolEmbeddings
    version: ModelVersion | None


def pool_votes(
    *, learner: Learner, classes: list[Label], rules: Sequence[Rule], embeddings: PoolEmbeddings
) -> PoolVotes:
    """Ask every rule about the pool's items that are embedded. Where nothing is embedded yet, all items are
    asked about, without embeddings.

    A rule that lacks something, such as a model whose scores it compares, is silent and says why.
    """
    items = np.array(pool_ids(learner.project), np.int64)
    rows = rows_of(items, embeddings.ids)
    if len(embeddings.ids):
        items, rows = items[rows >= 0], rows[rows >= 0]
    version = ModelVersion.objects.filter(learner=learner).order_by("-number").first()
    source = _Source(learner, classes, items, rows, embeddings, version)
    shown = hashlib.sha256(items.tobytes() + rows.tobytes()).hexdigest()
    columns, errors = [], []
    for rule in rules:
        key = (learner.pk, shown, learner.backbone, _identity(rule, classes), _model(rule, version))
        try:
            columns.append(_columns.get(key, _asker(rule, source)))
            errors.append("")
        except ValueError as error:
            columns.append(np.full(len(items), ABSTAIN, np.int16))
            errors.append(str(error))
    votes = np.stack(columns, axis=1) if columns else np.empty((len(items), 0), np.int16)
    return PoolVotes(items, rows, votes.astype(np.int64), errors)


def _identity(rule: Rule, classes: list[Label]) -> bytes:
    return canonical_json([rule.label_id, rule.when, rule.table, [label.pk for label in classes]])


def _model(rule: Rule, version: ModelVersion | None) -> str:
    return version.digest if goes_by_score(rule) and version else ""


def goes_by_score(rule: Rule) -> bool:
    """Whether it compares the score of a model, which learned from people's labels."""
    return any(one["kind"] == "score" for one in rule.when)


def _asker(rule: Rule, source: _Source) -> Callable[[], Column]:
    return lambda: _ask(rule, source)


def _ask(rule: Rule, source: _Source) -> Column:
    column = np.full(len(source.items), ABSTAIN, np.int16)
    kinds = {one["kind"] for one in rule.when}
    score = _scorer(source) if "score" in kinds else None
    examples = _examples(rule, source) if "near" in kinds else {}
    for start in range(0, len(source.items), CHUNK):
        part = slice(start, start + CHUNK)
        ids = source.items[part]
        found = (
            Item.objects.filter(pk__in=ids.tolist())
            .order_by("id")
            .values_list("id", "digest", "name", "format", "width", "height", "size", "metadata")
        )
        there = np.searchsorted(ids, [row[0] for row in found])
        ids = ids[there]
        digests = [row[1] for row in found]
        asked = RuleItems(
            ids=digests,
            metadata=[
                {**dict(zip(BUILT_IN, own, strict=True)), **metadata} for _, _, *own, metadata in found
            ],
            scores=score(ids) if score else None,
            embeddings=source.embeddings.take(source.rows[part][there]) if examples else None,
            examples=examples,
        )
        names = [row[2] for row in found]
        column[start + there] = _parsed(rule, source.classes, digests, names).votes(asked)
    return column


def _parsed(rule: Rule, classes: list[Label], digests: list[str], names: list[str]) -> CoreRule | TableRule:
    """The rule as the library knows it; of a table, the part that speaks of these items."""
    position = {label.pk: place for place, label in enumerate(classes)}
    if rule.table:
        table = _tables.get(rule.table, lambda: _table(rule.table))
        said = (
            (digest, table.get(digest, table.get(name))) for digest, name in zip(digests, names, strict=True)
        )
        return TableRule(rule.name, {digest: position[label] for digest, label in said if label in position})
    when = []
    for one in rule.when:
        if "label" in one and one["label"] not in position:
            raise ValueError("The label whose score it compares is not there any more.")
        when.append({**one, "label": position[one["label"]]} if "label" in one else one)
    data = {"name": rule.name, "label": position.get(rule.label_id or 0), "when": when}
    return rule_from_json(data, len(classes))


def _table(digest: str) -> dict[str, int]:
    table: dict[str, int] = json.loads(artifact_get(digest=digest, suffix=".json"))
    return table


def _examples(rule: Rule, source: _Source) -> dict[str, NDArray[np.float32]]:
    """The embedding (D,) of each example. Raises ValueError for one that is not embedded."""
    named = [digest for one in rule.when if one["kind"] == "near" for digest in one["examples"]]
    there = Item.objects.filter(project=source.learner.project_id, digest__in=named)
    found = {digest: pk for pk, digest in there.values_list("pk", "digest")}
    if not (len(source.items) and source.rows[0] >= 0):
        raise ValueError("The images are not embedded yet, which a rule of nearest examples needs.")
    places = rows_of(np.array([found.get(one, -1) for one in named], np.int64), source.items)
    if (places < 0).any():
        missing = named[int(np.flatnonzero(places < 0)[0])]
        raise ValueError(f"The example {missing[:12]}... is not embedded, or not there any more.")
    return dict(zip(named, source.embeddings.take(source.rows[places]), strict=True))


def _scorer(source: _Source) -> Callable[[Ids], NDArray[np.float64]]:
    """Probabilities (c, K) of items (c,), by the newest version; without its temperature, which is fitted on
    the hold-out: nothing of that may reach training.
    """
    version = source.version
    if version is None:
        raise ValueError("There is no model yet whose scores a rule could use.")
    head = head_read(artifact_get(digest=version.card["weights"], suffix=".safetensors"))
    embeddings = embeddings_open(project=source.learner.project, backbone=version.backbone)
    known = {one["id"]: place for place, one in enumerate(version.card["classes"])}

    def score(items: Ids) -> NDArray[np.float64]:
        rows = rows_of(items, embeddings.ids)
        proba = softmax(head.logits(embeddings.take(np.maximum(rows, 0))))
        proba[rows < 0] = 0.0  # an item that this model has not seen yet
        columns = [
            proba[:, known[label.pk]] if label.pk in known else np.zeros(len(items))
            for label in source.classes
        ]
        return np.stack(columns, axis=1)

    return score
