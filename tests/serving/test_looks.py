"""A look at a rollout counts what came since the last one, and finds what a count of everything would."""

import json
import random
import uuid
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from statistics import mean
from typing import TYPE_CHECKING, Any

import pytest
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from labelling.models import Label, Project
from learning.models import ModelVersion
from serving.core.modes import State, ab, mode_named
from serving.core.records import to_json
from serving.models import Arm, Feedback, Prediction, Rollout, UnitCounts, UnitsCounted
from serving.selectors.evidence import evidence_of, tally
from serving.services.rollout_rules import evidence_gathered
from serving.services.unit_counts import units_count, units_forget
from tests.serving import trained

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

pytestmark = pytest.mark.django_db
SECONDS = 600.0  # so long ago the rollout began


@pytest.fixture
def project() -> Project:
    made = trained.project()
    for _ in range(2):
        trained.bare_version(made)
    return made


def begun(project: Project, mode: str, **config: object) -> Rollout:
    made = Rollout.objects.create(
        project=project,
        question=project.questions.get(),
        mode=mode,
        config=to_json(mode_named(mode).config_from(config)),
        progress=to_json(State()),
        state=Rollout.State.RUNNING,
        slow_ms=13.0,
        phase_since=timezone.now() - timedelta(seconds=SECONDS),
    )
    # What clients report is reported while it lives.
    Rollout.objects.filter(pk=made.pk).update(created_at=timezone.now() - timedelta(seconds=SECONDS))
    versions = ModelVersion.objects.filter(project=project).order_by("number")
    for position, name in enumerate((Arm.CHAMPION, Arm.CHALLENGER)):
        Arm.objects.create(rollout=made, name=name, model_version=versions[position], position=position)
    return Rollout.objects.get(pk=made.pk)


def sent(rollout: Rollout, rng: random.Random, seconds: float, count: int = 60) -> None:
    """Requests of one to three images, answered in the 150 seconds that began `seconds` ago, images often
    again; a few failed, some were reported.
    """
    now, version = timezone.now(), rollout.arms.get(name=Arm.CHAMPION).model_version
    labels = list(Label.objects.filter(question=rollout.question))
    made: list[Prediction] = []
    for _ in range(count):
        at, request = (
            now - timedelta(seconds=seconds - rng.uniform(0, 150)),
            uuid.UUID(int=rng.getrandbits(128)),
        )
        for digest in rng.sample(range(80), rng.choice((1, 1, 2, 3))):
            one = Prediction(
                id=uuid.UUID(int=rng.getrandbits(128)),
                project=rollout.project,
                model_version=version,
                request_id=request,
                digest=f"{digest:064x}",
                unit=f"{digest % 7}",
                rollout=rollout,
                phase=1,
                propensity=0.5,
                decode_ms=1.0,
                infer_ms=rng.choice((5.0, 20.0)),
                created_at=at,
            )
            made += answered(one, rollout.mode, rng, [label.name for label in labels])
    times = [one.created_at for one in made]
    Prediction.objects.bulk_create(made)
    # Django gave them all this moment.
    for one, at in zip(made, times, strict=True):
        one.created_at = at
    Prediction.objects.bulk_update(made, ["created_at"])
    told = [one for one in made if one.shadow_of is None and rng.random() < 0.15]
    Feedback.objects.bulk_create(Feedback(prediction=one, label=rng.choice(labels)) for one in told)


def answered(one: Prediction, mode: str, rng: random.Random, names: list[str]) -> Iterable[Prediction]:
    def top() -> list[dict[str, Any]]:
        return [{"label": rng.choice(names), "probability": 0.8}]

    one.top, one.trace = top(), {"guess": rng.choice(names), "sure": 0.8, "votes": {names[0]: "champion"}}
    if mode == "shadow":
        saw = Prediction(
            **{field.attname: getattr(one, field.attname) for field in one._meta.concrete_fields}
        )
        saw.id, saw.shadow_of, saw.arm = uuid.UUID(int=rng.getrandbits(128)), one.id, Arm.CHALLENGER
        saw.status, saw.top = rng.choice((("shadow", top()), ("shadow", top()), ("broken", [])))
        return [one, saw]
    one.arm = "merged" if mode == "interleaving" else rng.choice((Arm.CHAMPION, Arm.CHALLENGER))
    if rng.random() < 0.15:
        one.status = "failed"
        one.top = rng.choice((one.top, []))
    return [one]


def seen(rollout: Rollout) -> dict[str, Any]:
    """The evidence, without what depends on the moment, and on the order in which numbers were added up."""
    return comparable(evidence_gathered(rollout))


def comparable(evidence: "DataclassInstance") -> dict[str, Any]:
    told = json.dumps({**to_json(evidence), "seconds": None})
    found: dict[str, Any] = json.loads(told, parse_float=lambda number: float(f"{float(number):.10g}"))
    return found


def seen_afresh(rollout: Rollout) -> dict[str, Any]:
    """What one look finds that counts everything."""
    nothing_kept = Rollout.objects.get(pk=rollout.pk)
    nothing_kept.tally = {}
    with transaction.atomic():
        UnitsCounted.objects.filter(rollout=rollout).delete()
        found = comparable(evidence_of(nothing_kept))
        transaction.set_rollback(True)
    return found


@pytest.mark.parametrize(
    ("mode", "config"),
    [
        ("ab", {"metrics": ["accuracy", "listed", "errors", "latency"]}),
        ("bandit", {}),
        ("bandit", {"by_class": True}),
        ("canary", {"hold_seconds": 300}),
        ("interleaving", {}),
        ("shadow", {}),
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_looks_one_after_another_find_what_one_look_finds(
    project: Project, monkeypatch: pytest.MonkeyPatch, mode: str, config: dict[str, Any], seed: int
) -> None:
    rng, rollout = random.Random(seed), begun(project, mode, **config)

    def same() -> dict[str, Any]:
        found = seen(rollout)
        assert found == seen_afresh(rollout)
        return found

    looks = []
    for ago, settled in ((600, 450.0), (450, 210.0), (200, 60.0)):
        monkeypatch.setattr(tally, "SETTLED", settled)
        sent(rollout, rng, ago)
        looks.append(same())
        kept = {name: of["rows"] for name, of in rollout.tally.items()}
        kept |= dict(UnitsCounted.objects.values_list("rollout__mode", "rows"))
        assert min(kept.values()) > 20, "some are settled"
        assert ("ab" in kept) == (mode == "ab")
    assert looks[0] != looks[1] != looks[2]
    # What was away for long comes in the end, and what is old is forgotten.
    sent(rollout, rng, 600, count=40)
    late = same()
    assert late != looks[2]
    oldest = Prediction.objects.filter(rollout=rollout).order_by("created_at").values("pk")[:40]
    Prediction.objects.filter(pk__in=list(oldest.values_list("pk", flat=True))).delete()
    assert same() != late


def test_what_is_settled_is_counted_once(project: Project) -> None:
    rollout = begun(project, "canary")
    sent(rollout, random.Random(0), 600)
    seen(rollout)
    kept = rollout.tally["traffic"]
    before = Prediction.objects.filter(rollout=rollout).aggregate(newest=Max("created_at"))["newest"]
    assert before.isoformat() < kept["until"]
    assert kept["rows"] == Prediction.objects.filter(rollout=rollout).count()
    # Had it looked at them again, it would see that they are others now.
    Prediction.objects.filter(rollout=rollout, status="failed").update(status="ok")
    errors = sum(of[2] for (arm, _), of in kept["counts"] if arm == "challenger")
    assert seen(rollout)["challenger"]["errors"] == errors > 0
    rollout.tally = {}
    assert seen(rollout)["challenger"]["errors"] == 0


def test_what_is_counted_is_each_images_first_time(project: Project) -> None:
    """By hand, from the rows."""
    rollout = begun(project, "canary", hold_seconds=300)
    rng = random.Random(3)
    for ago in (600, 400, 200):
        sent(rollout, rng, ago)
        seen(rollout)
    rows = list(Prediction.objects.filter(rollout=rollout).order_by("created_at"))
    together = Counter(one.request_id for one in rows)
    found = seen(rollout)
    for arm in (Arm.CHAMPION, Arm.CHALLENGER):
        mine = [one for one in rows if one.arm == arm]
        firsts = list({one.digest: one for one in reversed(mine)}.values())
        failed = [one for one in firsts if one.status == "failed" and (arm == Arm.CHAMPION or one.top)]
        alone = [one for one in mine if one.status == "ok" and together[one.request_id] == 1]
        last = max(one.created_at for one in mine if one.status == "ok")
        assert found[arm] == {
            "requests": len(mine),
            "images": len(firsts),
            "errors": len(failed),
            "timed": len(alone),
            "slow": sum(one.infer_ms > 13.0 for one in alone),
            "errors_in_a_row": sum(one.created_at > last for one in failed),
        }


def test_what_each_unit_was_answered_is_averaged_by_hand(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the rows, after looks of which each added something."""
    monkeypatch.setattr(tally, "SETTLED", 20.0)
    rollout, rng = begun(project, "ab", metrics=["errors", "latency"]), random.Random(5)
    until: list[object] = []
    for ago in (600, 400, 200):
        sent(rollout, rng, ago)
        seen(rollout)
        until += UnitsCounted.objects.exclude(until=None).values_list("until", flat=True)
    assert len(set(until)) == 3
    found = evidence_gathered(rollout)
    assert isinstance(found, ab.Evidence)
    for arm in (Arm.CHAMPION, Arm.CHALLENGER):
        units: dict[str, list[Prediction]] = {}
        for one in Prediction.objects.filter(rollout=rollout, arm=arm):
            units.setdefault(one.unit, []).append(one)
        assert found.units[arm] == len(units) > 5
        answered = [[one.infer_ms for one in of if one.status == "ok"] for of in units.values()]
        failed = [mean(one.status == "failed" for one in of) for of in units.values()]
        for name, means in (("errors", failed), ("latency", [mean(of) for of in answered if of])):
            moments = getattr(found.metrics[name], arm)
            assert moments.n == len(means)
            assert moments.y == pytest.approx(sum(means))
            assert moments.yy == pytest.approx(sum(one**2 for one in means))


def test_units_are_not_added_again_and_forgotten_once_it_is_over(project: Project) -> None:
    rollout = begun(project, "ab")
    sent(rollout, random.Random(0), 600)
    units_count(rollout)
    kept = sorted(UnitCounts.objects.values_list("arm", "unit", "answers"))
    assert sum(answers for *_, answers in kept) == Prediction.objects.filter(rollout=rollout).count() > 60
    units_count(rollout)
    assert sorted(UnitCounts.objects.values_list("arm", "unit", "answers")) == kept
    assert units_forget() == 0
    assert len(kept) == UnitCounts.objects.count()
    before = seen(rollout)
    Rollout.objects.filter(pk=rollout.pk).update(state=Rollout.State.PROMOTED)
    assert units_forget() == len(kept)
    assert not UnitCounts.objects.exists()
    assert comparable(evidence_of(rollout)) == before
