"""Which arm of a rollout answers an image. The same unit gets the same arm as long as the phase lasts."""

from dataclasses import dataclass
from hashlib import blake2b

from serving.core.assignment import arm_at, bucket
from serving.core.modes import CHAMPION
from serving.services.loaded import LiveRollout


@dataclass(frozen=True)
class Dealt:
    """Who answers, how likely that was, and who else is to see the image."""

    arm: str
    propensity: float
    n: float  # where the unit fell, in [0, 1)
    merged: bool  # both models are asked, and the client gets one list
    mirrored: bool  # the challenger sees it too, after the answer has gone out
    audited: bool  # drawn evenly, to be asked of annotators
    draw: float  # where the image fell in that draw, in [0, 1)


def deal(live: LiveRollout, *, unit: str, digest: str, context: str = "") -> Dealt:
    """Each draw has a salt of its own, so that none says anything of another.

    The audit is drawn by the image: whoever sends it, and whichever arm answers.
    """
    split, places = live.split(context)
    salt = live.plan.salt
    n = bucket(salt, unit)
    arm = arm_at(n, places) or CHAMPION
    draw = bucket(f"{salt}audited", digest)
    return Dealt(
        arm=arm,
        propensity=split.weights.get(arm, 0.0),
        n=n,
        merged=bucket(f"{salt}merged", unit) < split.merged,
        mirrored=bucket(f"{salt}mirrored", unit) < split.mirrored,
        audited=draw < live.plan.audit_share,
        draw=draw,
    )


def unit_hash(unit: str) -> str:
    """What is kept of a unit's key: enough to tell units apart, not who they are."""
    return blake2b(unit.encode(), digest_size=16).hexdigest()
