"""What people do with rollouts. Every act leaves a Decision in the same transaction.

All of them lock the question's deployment first, as promotions and the automatic rules do: none interleave.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django.db import transaction
from django.utils import timezone

from labelling.models import Question, User
from learning.models import ModelVersion
from serving.core.modes import CHALLENGER, CHAMPION, State, mode_named
from serving.core.records import to_json
from serving.models import Arm, Decision, Deployment, Rollout
from serving.selectors import champion_slow_ms
from serving.services.switching import (
    champion_pass_over,
    champion_set,
    deployment_locked,
    rollout_locked,
    rollout_turn,
)


class RolloutRefused(ValueError):
    """The sentence to show."""


@dataclass(frozen=True)
class Act:
    """Something a person can do with a rollout, in which states, and what becomes of it."""

    name: str
    title: str
    when: tuple[str, ...]
    then: str
    told: str  # what the page says when it is done


_S = Rollout.State
ACTS = {
    act.name: act
    for act in (
        Act("start", "Start", (_S.DRAFT,), _S.RUNNING, "It has started, in every process within a second."),
        Act("pause", "Pause", (_S.RUNNING,), _S.PAUSED, "Paused: the champion answers everyone."),
        Act(
            "resume", "Go on", (_S.PAUSED,), _S.RUNNING, "It goes on: everyone has the model they had before."
        ),
        Act("promote", "Promote", Rollout.LIVE, _S.PROMOTED, "The challenger is the champion now."),
        Act(
            "abort", "Roll back", Rollout.LIVE, _S.ROLLED_BACK, "Rolled back: the champion answers everyone."
        ),
        Act("discard", "Discard", (_S.DRAFT,), _S.ENDED, "The draft is discarded."),
    )
}


@transaction.atomic
def rollout_create(
    *,
    question: Question,
    mode: str,
    challenger: ModelVersion,
    user: User,
    config: Mapping[str, Any] = MappingProxyType({}),
    audit_share: float = 0.1,
    maturity_seconds: int = 0,
    start: bool = False,
) -> Rollout:
    """Compare the challenger with the champion, once it is started.

    What `config` leaves out takes the mode's default. Raises RolloutRefused, with nothing made.
    """
    try:
        found = mode_named(mode)
        whole = found.config_from(config)
    except ValueError as error:
        raise RolloutRefused(str(error)) from error
    deployment = deployment_locked(question)
    _refuse_challenger(deployment, challenger)
    rollout = Rollout.objects.create(
        project_id=question.project_id,
        question=question,
        mode=mode,
        config=to_json(whole),
        progress=to_json(State()),
        audit_share=audit_share,
        maturity_seconds=maturity_seconds,
        waits_for="It has not been started.",
        created_by=user,
    )
    Arm.objects.create(rollout=rollout, name=CHALLENGER, model_version=challenger, position=1)
    named = ("mode", "config", "audit_share", "maturity_seconds", "salt")
    told = {name: getattr(rollout, name) for name in named}
    _decided(rollout, "create", user, f"{user} set it up: {found.title}.", deployment.champion, **told)
    if start:
        rollout_act(rollout=rollout, act="start", actor=user)
        rollout.refresh_from_db()
    return rollout


@transaction.atomic
def rollout_act(*, rollout: Rollout, act: str, actor: User, reason: str = "") -> Decision:
    """Start, pause, resume, promote, abort or discard. Raises RolloutRefused, with nothing changed."""
    wanted = ACTS.get(act)
    if wanted is None:
        raise RolloutRefused(f"There is no act '{act[:40]}'; there are {', '.join(ACTS)}.")
    deployment = deployment_locked(rollout.question)
    rollout = rollout_locked(rollout.pk)
    if rollout.state not in wanted.when:
        raise RolloutRefused(
            f"A rollout that is {rollout.get_state_display()} cannot be told to {wanted.title.lower()}."
        )
    challenger, previous = rollout.challenger, deployment.champion
    if act == "start":
        _begin(rollout, deployment, challenger)
    if act == "resume":
        _leave_out_pause(rollout)
    if act == "promote":
        deployment.automatic = False
        champion_set(deployment, challenger)
    if act == "abort":
        champion_pass_over(deployment, challenger)
    rollout_turn(rollout, wanted.then, wanted.told)
    return _decided(rollout, act, actor, reason or f"{actor} chose: {wanted.title.lower()}.", previous)


@transaction.atomic
def rollout_audit(*, rollout: Rollout, share: float, actor: User, reason: str = "") -> Decision | None:
    """Ask annotators about another share, 0 to 1, of the images sent from now on; None if it is that already.

    What was answered before keeps the chance it was drawn with, and who was dealt to whom does not change.
    Raises RolloutRefused, with nothing changed.
    """
    deployment = deployment_locked(rollout.question)
    rollout = rollout_locked(rollout.pk)
    if rollout.over:
        raise RolloutRefused(
            f"A rollout that is {rollout.get_state_display()} asks annotators nothing any more."
        )
    if not 0 <= share <= 1:
        raise RolloutRefused(f"The audited share must be between 0 and 100%, not {share:.4g}.")
    before, rollout.audit_share = rollout.audit_share, share
    if share == before:
        return None
    rollout.save(update_fields=["audit_share"])
    told = reason or f"{actor} changed the audited share from {before * 100:.3g}% to {share * 100:.3g}%."
    return _decided(
        rollout, "audit", actor, told, deployment.champion, audit_share={"before": before, "after": share}
    )


def rollout_end(*, rollout: Rollout, actor: User, reason: str) -> Decision:
    """What it compares with is not the champion any more. Call it holding the question's deployment."""
    locked = rollout_locked(rollout.pk)
    previous = locked.arms.select_related("model_version").get(name=CHAMPION).model_version
    rollout_turn(locked, Rollout.State.ENDED, reason)
    return _decided(locked, "end", actor, reason, previous)


def _decided(
    rollout: Rollout,
    action: str,
    actor: User,
    reason: str,
    previous: ModelVersion | None,
    **evidence: object,
) -> Decision:
    return Decision.objects.create(
        project_id=rollout.project_id,
        rollout=rollout,
        model_version=rollout.challenger,
        previous=previous,
        action=action,
        rule="person",
        reason=reason[:300],
        evidence={"figures": rollout.figures, **evidence},
        actor=actor,
    )


def _begin(rollout: Rollout, deployment: Deployment, challenger: ModelVersion) -> None:
    live = Rollout.objects.filter(question=rollout.question_id, state__in=Rollout.LIVE).first()
    if live is not None:
        raise RolloutRefused(
            f"Rollout {live.pk} of this question is {live.get_state_display()}: "
            "end it before you start another."
        )
    _refuse_challenger(deployment, challenger)
    try:
        mode = mode_named(rollout.mode)
        split = mode.split(mode.config_from(rollout.config))
    except ValueError as error:
        # Since the draft was made, its mode has gone, or reads other settings.
        raise RolloutRefused(str(error)) from error
    others = sorted(split.weights.keys() - {CHAMPION, CHALLENGER})
    # The challenger, which the draft has, stands between them.
    Arm.objects.bulk_create(
        Arm(rollout=rollout, name=name, model_version=deployment.champion, position=position)
        for position, name in [(0, CHAMPION), *enumerate(others, 2)]
    )
    rollout.started_at = rollout.phase_since = timezone.now()
    rollout.slow_ms = champion_slow_ms(deployment.champion)


def _leave_out_pause(rollout: Rollout) -> None:
    """While it was paused the champion answered everyone, which holds no step and says nothing of one."""
    paused = Decision.objects.filter(rollout=rollout, action="pause").latest("id")
    began = rollout.phase_since or rollout.created_at
    rollout.phase_since = began + (timezone.now() - paused.created_at)


def _refuse_challenger(deployment: Deployment, challenger: ModelVersion) -> None:
    if deployment.champion is None:
        raise RolloutRefused(
            "This question has no model in service yet, so there is nothing to compare with."
        )
    if challenger.learner.question_id != deployment.question_id:
        raise RolloutRefused(f"Version {challenger.number} answers another question.")
    if challenger == deployment.champion:
        raise RolloutRefused(
            f"Version {challenger.number} is the champion itself: choose another version as the challenger."
        )
