"""What rollouts do by themselves. The tick looks at the evidence, decides, and acts in one transaction.

Whoever moves `due_at` on has the rollout to itself; the look itself holds no lock, and what a person did
meanwhile goes before it.
"""

import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from serving.core.modes import CHAMPION, Verdict, mode_named
from serving.core.records import to_json
from serving.models import Decision, EvidencePoint, Rollout
from serving.models.rollout import new_salt
from serving.selectors import champion_slow_ms
from serving.selectors.evidence import evidence_of
from serving.services.switching import (
    champion_pass_over,
    champion_set,
    deployment_locked,
    rollout_locked,
    rollout_turn,
)
from serving.services.unit_counts import units_count

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

logger = logging.getLogger(__name__)

PERIOD = timedelta(seconds=1)
# The look at a rollout with much traffic takes long: it may use this share of the time, but what goes wrong
# is to be seen within a minute.
BUSY_SHARE = 0.1
# A shadow answers nobody, so nothing can go wrong for clients; but while it is looked at, they wait longer.
SHADOW_PERIOD, SHADOW_SHARE = timedelta(seconds=5), 0.02
LONGEST = timedelta(seconds=30)
# A point of the plot is drawn after this share of the rollout's age: enough of them, however long it lasts.
POINT_EVERY = 0.02


def rollouts_look() -> list[Decision]:
    """Look at every running rollout that is due."""
    now = timezone.now()
    # What is further away than any look is moved was said by a clock that has been put back since.
    is_due = Q(due_at__lte=now) | Q(due_at__gt=now + 2 * LONGEST)
    due = Rollout.objects.filter(is_due, state=Rollout.State.RUNNING)
    decisions = []
    for pk, due_at in list(due.values_list("pk", "due_at")):
        # Should this process be killed, the next look is a while away, not lost.
        claimed = due.filter(pk=pk, due_at=due_at).update(due_at=now + LONGEST)
        if claimed:
            decisions.append(_look(pk))
    return [decision for decision in decisions if decision is not None]


def _look(rollout_id: int) -> Decision | None:
    started = time.monotonic()
    rollout = Rollout.objects.select_related("question").get(pk=rollout_id)
    error = ""
    decision = None
    try:
        decision = rollout_judge(rollout=rollout)
    except Exception as failure:
        logger.exception("Rollout %d could not be judged.", rollout_id)
        error = f"The last look at the evidence failed: {failure}"[:300]
    period, share = (SHADOW_PERIOD, SHADOW_SHARE) if rollout.mode == "shadow" else (PERIOD, BUSY_SHARE)
    wait = max(period, timedelta(seconds=(time.monotonic() - started) / share))
    Rollout.objects.filter(pk=rollout_id, state=Rollout.State.RUNNING).update(
        due_at=timezone.now() + min(wait, LONGEST), error=error
    )
    return decision


def rollout_judge(*, rollout: Rollout) -> Decision | None:
    """Gather the evidence of a running rollout, decide, act. None if nothing new was decided."""
    if rollout.slow_ms is None:
        # The champion had not answered anybody before: what it answers beside the challenger must do.
        rollout.slow_ms = champion_slow_ms(rollout.arms.get(name=CHAMPION).model_version)
        Rollout.objects.filter(pk=rollout.pk, slow_ms=None).update(slow_ms=rollout.slow_ms)
    mode = mode_named(rollout.mode)
    evidence = evidence_gathered(rollout)
    verdict = mode.decide(mode.config_from(rollout.config), evidence)
    return _apply(rollout, to_json(evidence), verdict)


def evidence_gathered(rollout: Rollout) -> "DataclassInstance":
    """The mode's Evidence, as of now; what of it need not be counted again is kept."""
    if rollout.mode == "ab":
        units_count(rollout)
    evidence = evidence_of(rollout)
    Rollout.objects.filter(pk=rollout.pk).update(tally=rollout.tally)
    return evidence


@transaction.atomic
def _apply(seen: Rollout, evidence: dict[str, Any], verdict: Verdict) -> Decision | None:
    deployment = deployment_locked(seen.question)
    rollout = rollout_locked(seen.pk)
    if rollout.state != Rollout.State.RUNNING or rollout.phase != seen.phase:
        return None  # a person was faster
    told = to_json(verdict)
    rollout.figures = told["figures"]
    previous, challenger = deployment.champion, rollout.challenger
    is_news = verdict.action != "hold" or verdict.rule != rollout.rule
    _point(rollout, is_news)
    rollout.rule = verdict.rule
    state = str(rollout.state)
    # Of a new phase, what units are dealt to the arms by: answers keep their phase, and with it anyone can
    # reckon who was to answer whom.
    dealt: dict[str, Any] = {}
    if verdict.action == "promote":
        champion_set(deployment, challenger)
        state = Rollout.State.PROMOTED
    elif verdict.action == "roll_back":
        champion_pass_over(deployment, challenger)
        state = Rollout.State.ROLLED_BACK
    elif verdict.state is not None:
        rollout.progress = to_json(verdict.state)
        rollout.phase += 1
        rollout.phase_since = timezone.now()
        before = rollout.salt
        # A share that only gets wider moves nobody back; all other new shares deal everyone anew.
        if verdict.action != "advance":
            rollout.salt = new_salt()
        dealt = {"phase": rollout.phase, "salt": {"before": before, "after": rollout.salt}}
    rollout_turn(rollout, state, verdict.reason)
    if not is_news:
        return None
    return Decision.objects.create(
        project_id=rollout.project_id,
        rollout=rollout,
        model_version=challenger,
        previous=previous,
        action=verdict.action,
        rule=verdict.rule,
        reason=verdict.reason[:300],
        evidence={"config": rollout.config, "evidence": evidence, "verdict": told, **dealt},
    )


def _point(rollout: Rollout, is_news: bool) -> None:
    """Keep the figures for the plot, if they have changed and the last point is old enough."""
    last = EvidencePoint.objects.filter(rollout=rollout).last()
    now = timezone.now()
    began = rollout.started_at or rollout.created_at
    if last is not None and not is_news:
        recent = now - last.created_at < (now - began) * POINT_EVERY
        if last.figures == rollout.figures or recent:
            return
    EvidencePoint.objects.create(rollout=rollout, phase=rollout.phase, figures=rollout.figures)
