"""What answers, made to follow what is wanted now as far as that needs no other model, to wait for none."""

from collections.abc import Sequence
from dataclasses import replace

from serving.selectors import RolloutPlan, Wanted
from serving.services.loaded import Champion, LiveRollout


def followed(champions: Sequence[Champion], wanted: Sequence[Wanted]) -> tuple[Champion, ...]:
    """They as they are to answer now, as far as that needs no other model."""
    ones = {one.question_id: one for one in wanted}
    return tuple(_current(each, ones[each.question_id]) for each in champions if each.question_id in ones)


def _current(champion: Champion, one: Wanted) -> Champion:
    live = champion.rollout
    if live is not None and live.plan != one.rollout:
        live = _dealt_anew(live, one.rollout)
    return replace(champion, rollout=live, keep_images=one.keep_images, audit_share=one.audit_share)


def _dealt_anew(live: LiveRollout, plan: RolloutPlan | None) -> LiveRollout | None:
    """By the new plan, if it is the same rollout of the same models; else nobody is dealt to a challenger."""
    if plan is None or (plan.id, plan.arms, plan.int8) != (live.plan.id, live.plan.arms, live.plan.int8):
        return None
    try:
        return LiveRollout.of(plan, live.arms)
    except ValueError:
        return None  # the loader says why
