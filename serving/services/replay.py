"""Every automatic decision again, from what was stored with it."""

from dataclasses import dataclass

from labelling.models import Project
from serving.core.modes import mode_named
from serving.core.promotion import Evidence, verdict
from serving.models import Decision


@dataclass(frozen=True)
class Replayed:
    decision: Decision
    same: bool
    unread: str = ""  # why what was stored cannot be read any more


def decisions_replay(*, project: Project | None = None) -> list[Replayed]:
    """The automatic decisions, the oldest first, and whether each comes out again exactly."""
    decisions = Decision.objects.filter(actor=None).select_related("rollout").order_by("id")
    if project is not None:
        decisions = decisions.filter(project=project)
    return [_replayed(decision) for decision in decisions]


def _replayed(decision: Decision) -> Replayed:
    """One that cannot be read keeps no other from it: another program wrote it, or its mode has gone."""
    try:
        return Replayed(decision, _same(decision))
    except Exception as error:
        return Replayed(decision, False, f"{type(error).__name__}: {error}".splitlines()[0])


def _same(decision: Decision) -> bool:
    stored = decision.evidence
    if decision.rollout is not None:
        again = mode_named(decision.rollout.mode).replay(stored["config"], stored["evidence"])
        return bool(again == stored["verdict"])
    champion, candidate = stored["champion"], stored["candidate"]
    judged = verdict(Evidence(**champion) if champion else None, Evidence(**candidate))
    said = (judged.action, judged.rule, judged.reason)
    return said == (decision.action, decision.rule, decision.reason)
