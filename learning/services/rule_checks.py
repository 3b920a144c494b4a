"""What each rule does on the pool: reckoned by a worker, kept for the page that shows it."""

from dataclasses import asdict
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from labelling.models import Item, Label
from learning.core.weak.conditions import BUILT_IN
from learning.core.weak.label_model import ABSTAIN
from learning.core.weak.table import RuleRow, rule_table
from learning.models import Learner, Rule, RuleCheck, Work
from learning.services.pool_embeddings import embeddings_open
from learning.services.rule_contents import RuleContent
from learning.services.snapshots import snapshot_take
from learning.services.votes import goes_by_score
from learning.services.weak_labels import Reckoned, WeakLabels, rules_reckon
from learning.services.work import work_do, work_owned

DRAFT = "draft"
EXAMPLES = 8
# Previews are looked at once.
KEPT = 20


def preview_request(*, learner: Learner, content: RuleContent, instead_of: Rule | None) -> RuleCheck:
    """Ask a worker what a rule that is not saved would do beside the others, or in the place of one."""
    drafts = RuleCheck.objects.filter(learner=learner).exclude(draft__isnull=True)
    drafts.exclude(pk__in=list(drafts.values_list("pk", flat=True)[:KEPT])).delete()
    draft = {"content": content.columns(), "instead_of": instead_of.pk if instead_of else None}
    return RuleCheck.objects.create(project_id=learner.project_id, learner=learner, draft=draft)


def check_do(*, check_id: int) -> bool:
    """Reckon and keep what the rules do. True when this call finished it.

    Harmless for a check that is done, gone or another worker's.
    """
    words = "The rules could not be checked"
    with threadpool_limits(limits=1):
        return work_do(RuleCheck, pk=check_id, stage="asking the rules", do=_do, words=words)


def _do(check: RuleCheck) -> None:
    learner = check.learner
    embeddings = embeddings_open(project=check.project, backbone=learner.backbone)
    snapshot = snapshot_take(question=learner.question, embedded=embeddings.ids)
    rules = list(Rule.objects.filter(question=learner.question_id, enabled=True))
    if check.draft is not None:
        draft = Rule(project_id=check.project_id, question_id=learner.question_id, **check.draft["content"])
        rules = [draft, *(rule for rule in rules if rule.pk != check.draft["instead_of"])]
    reckoned = rules_reckon(learner=learner, snapshot=snapshot, rules=rules, embeddings=embeddings)
    result = _result(reckoned, snapshot.classes)
    with transaction.atomic():
        work_owned(check, state=Work.State.DONE, stage="", finished_at=timezone.now(), **result)
        if check.draft is None:
            _forget_older(check)


def check_keep(*, learner: Learner, weak: WeakLabels, classes: list[Label]) -> None:
    """Keep what a training found out anyhow as the newest check; call it when the training is published.

    Rules that compare a model's score speak of the new model from now on: they are asked again.
    """
    if any(map(goes_by_score, weak.reckoned.rules)):
        RuleCheck.objects.create(project_id=learner.project_id, learner=learner)
        return
    now = timezone.now()
    check = RuleCheck.objects.create(
        project_id=learner.project_id,
        learner=learner,
        state=Work.State.DONE,
        started_at=now,
        finished_at=now,
        **_result(weak.reckoned, classes),
    )
    _forget_older(check)


def _forget_older(check: RuleCheck) -> None:
    older = RuleCheck.objects.filter(learner=check.learner_id, draft__isnull=True, pk__lt=check.pk)
    older.exclude(state__in=[Work.State.QUEUED, Work.State.RUNNING]).delete()


def _result(reckoned: Reckoned, classes: list[Label]) -> dict[str, Any]:
    """The columns of a RuleCheck: a row for each rule, with some of the images it votes on."""
    said = reckoned.said
    if reckoned.model is None:
        table: list[RuleRow | None] = [None] * len(reckoned.rules)
    else:
        table = list(rule_table(said.votes, reckoned.model, reckoned.known))
    rows = {}
    for place, (rule, row) in enumerate(zip(reckoned.rules, table, strict=True)):
        error = said.errors[place] or _why_silent(rule, row)
        own = np.flatnonzero(said.votes[:, place] != ABSTAIN)
        figures = {**asdict(row), "votes": len(own)} if row and len(own) else {}
        rows[str(rule.pk or DRAFT)] = {
            **figures,
            "error": error,
            "examples": [_example(reckoned, classes, at, place) for at in _some(own)],
        }
    return {"items": len(said.items), "result": {"rows": rows}}


def _some(own: NDArray[np.int64]) -> list[int]:
    """Examples from all over the pool, the same ones each time."""
    if len(own) <= EXAMPLES:
        return [int(at) for at in own]
    return sorted(int(at) for at in np.random.default_rng(0).choice(own, EXAMPLES, replace=False))


def _example(reckoned: Reckoned, classes: list[Label], at: int, place: int) -> dict[str, Any]:
    known = int(reckoned.known[at])
    return {
        "item": int(reckoned.said.items[at]),
        "label": classes[reckoned.said.votes[at, place]].name,
        "person": classes[known].name if known != ABSTAIN else None,
    }


def _why_silent(rule: Rule, row: RuleRow | None) -> str:
    """A rule that never votes most likely names a field wrongly."""
    if row is None or row.coverage > 0:
        return ""
    pool = Item.objects.filter(project=rule.project_id, split=Item.Split.POOL)
    for condition in rule.when:
        field = condition.get("field")
        if field and field not in BUILT_IN and not pool.filter(metadata__has_key=field).exists():
            return f"No image of the pool has a field '{field}'."
    return "It votes on no image of the pool."
