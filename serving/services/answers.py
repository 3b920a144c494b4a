"""A question's answers to the images of a request: by its champion, or as its rollout deals them."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serving.core.inclusion import drawn
from serving.core.modes import CHALLENGER, CHAMPION
from serving.models import Prediction
from serving.services.dealing import Dealt, deal, unit_hash
from serving.services.inference import Batch, Said
from serving.services.loaded import Champion, LiveRollout, LoadedModel
from serving.services.merging import merged_list

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sent:
    """An image that could be read."""

    row: int  # among those of its request that could
    digest: str
    unit: str  # what the client calls whoever it asks for, else the digest
    decode_ms: float


def deal_all(champion: Champion, sent: Sequence[Sent], batch: Batch) -> list[Dealt]:
    """How the question's rollout deals the images, none without one. Tells the batch who will be asked."""
    live = champion.rollout
    rows = [one.row for one in sent]
    if live is None or live.by_context:
        batch.announce(champion.model, rows)
        if live is None:
            return []
    guesses = _guesses(champion, rows, batch) if live.by_context else {}
    dealt = [deal(live, unit=one.unit, digest=one.digest, context=guesses.get(one.row, "")) for one in sent]
    for arm, asked in _asked(sent, dealt).items():
        batch.announce(live.arms[arm], asked)
    return dealt


def answer_all(
    champion: Champion, sent: Sequence[Sent], dealt: Sequence[Dealt], batch: Batch, top: int
) -> list[Prediction]:
    """One prediction an image, without what all of a request share. Where the champion fails, it says so and
    has no labels.
    """
    live = champion.rollout
    if live is None or not dealt:
        said = batch.answers(champion.model, [one.row for one in sent])
        return [_prediction(one, champion.model, said.get(one.row), top) for one in sent]
    heard, failed = _heard(live, champion, _asked(sent, dealt), batch)
    sure = _sure(champion, [one.row for one in sent], heard, failed, batch)
    return [
        _in_rollout(live, champion, one, how, heard, failed, sure.get(one.row), top)
        for one, how in zip(sent, dealt, strict=True)
    ]


def _guesses(champion: Champion, rows: Sequence[int], batch: Batch) -> dict[int, str]:
    said = batch.answers(champion.model, rows)
    return {row: str(one.likeliest(1)[0]["label"]) for row, one in said.items()}


def _asked(sent: Sequence[Sent], dealt: Sequence[Dealt]) -> dict[str, list[int]]:
    """The rows that each arm is asked about."""
    found: dict[str, list[int]] = defaultdict(list)
    for one, how in zip(sent, dealt, strict=True):
        for arm in (CHAMPION, CHALLENGER) if how.merged else (how.arm,):
            found[arm].append(one.row)
    return found


Heard = Mapping[str, Mapping[int, Said]]
Failed = Mapping[str, set[int]]


def _heard(
    live: LiveRollout, champion: Champion, asked: Mapping[str, list[int]], batch: Batch
) -> tuple[Heard, Failed]:
    """What each arm says, and the rows it failed on, for which the champion speaks where it can."""
    heard: dict[str, dict[int, Said]] = defaultdict(dict)
    failed: dict[str, set[int]] = defaultdict(set)
    for arm, rows in asked.items():
        model = live.arms[arm]
        said = batch.answers(model, rows)
        heard[arm].update(said)
        failed[arm].update(set(rows) - said.keys())
        if failed[arm] and model.version_id != champion.version_id:
            logger.warning("Rollout %d, %s: %d images failed.", live.plan.id, arm, len(failed[arm]))
            left = sorted(failed[arm] - heard[CHAMPION].keys() - failed[CHAMPION])
            heard[CHAMPION].update(batch.answers(champion.model, left) if left else {})
    return heard, failed


def _sure(
    champion: Champion, rows: Sequence[int], heard: Heard, failed: Failed, batch: Batch
) -> Mapping[int, Said]:
    """What the champion says of every image, where its backbone has seen it: that costs next to nothing.

    It says how hard an image is, whoever answers it, and so takes noise from the comparison.
    """
    known = dict(heard.get(CHAMPION, {}))
    seen = batch.features_of(champion.model).keys() - known.keys() - failed.get(CHAMPION, set())
    missing = [row for row in rows if row in seen]
    if missing:
        known.update(batch.answers(champion.model, missing))
    return known


def _in_rollout(
    live: LiveRollout,
    champion: Champion,
    one: Sent,
    how: Dealt,
    heard: Heard,
    failed: Failed,
    champion_said: Said | None,
    top: int,
) -> Prediction:
    """A merged list needs both arms: the one that fails is what is told of."""
    arm = CHALLENGER if how.merged else how.arm
    fell_back = one.row in failed[arm]
    if how.merged and one.row in failed[CHAMPION]:
        arm = CHAMPION
    told = CHAMPION if fell_back or how.merged else arm
    said = heard[told].get(one.row)
    found = _prediction(one, champion.model if told == CHAMPION else live.arms[arm], said, top)
    found.arm, found.propensity = arm, how.propensity
    found.rollout_id, found.phase = live.plan.id, live.plan.phase
    found.unit, found.bucket = unit_hash(one.unit), round(how.n * 10_000)
    if said is None:
        return found
    found.audited = how.audited
    sure = float(said.probabilities.max())
    found.inclusion = drawn(how.draw, live.plan.audit_share, sure, len(said.classes))
    if champion_said is not None:
        best = champion_said.likeliest(1)[0]
        found.trace = {"guess": best["label"], "sure": best["probability"]}
    if fell_back:
        found.status = Prediction.Status.FAILED
    elif how.merged:
        length = min(top, live.config.length)
        merged_list(found, heard[CHAMPION][one.row], heard[CHALLENGER][one.row], length)
    return found


def _prediction(one: Sent, model: LoadedModel, said: Said | None, top: int) -> Prediction:
    return Prediction(
        model_version_id=model.version_id,
        precision=model.precision,
        digest=one.digest,
        decode_ms=one.decode_ms,
        infer_ms=said.infer_ms if said else 0.0,
        top=said.likeliest(top) if said else [],
        status=Prediction.Status.OK if said else Prediction.Status.FAILED,
    )
