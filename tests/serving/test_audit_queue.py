"""What waits to be asked for an audit: the live rollouts' first, and never too much of it."""

import time
import uuid
from collections import Counter
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from labelling.models import Item, Lease, Wanted
from labelling.services.annotations import annotation_record
from labelling.services.leases import lease_items
from labelling.services.wanted import items_want, wanted_thin
from serving.models import Deployment, Prediction
from serving.services.production import (
    AUDITED_ALONE,
    audits_withdraw,
    production_look,
)
from tests import factories
from tests.serving import trained
from tests.serving.conftest import Service
from tests.serving.rolled import images, items_sent, production_look_now, rollout
from tests.serving.trained import DARK, picture


def test_what_a_live_rollout_drew_comes_first_and_what_only_ended_ones_drew_is_asked_no_more(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.core.inclusion.unsure_below", lambda classes: 0.0)
    project = service.project
    first = rollout(service, "ab", trained.version(project, seed=1), audit_share=1.0)
    sent = items_sent(first, 12)
    production_look_now()
    assert audits_withdraw() == 0, "it runs"
    spoken = Item.objects.get(pk=Wanted.objects.order_by("id")[0].item_id)
    person = factories.member(project)
    annotation_record(
        project=project,
        annotator=person,
        uuid=uuid.uuid4(),
        item=spoken,
        question=first.row.question,
        label=None,
        seconds=1.0,
    )
    kept = set(Wanted.objects.filter(item=spoken).values_list("item_id", flat=True))
    alone = factories.item(project)
    items_want(
        project=project,
        digests=[alone.digest],
        kind="audit",
        reason=AUDITED_ALONE,
        inclusion={alone.digest: 0.1},
    )
    first.act("abort")
    second = rollout(service, "ab", trained.version(project, seed=2), audit_share=1.0)
    new = [factories.item(project, data=image) for image, _ in images(8, start=4000)]
    for image in [*[image for image, _ in images(8, start=4000)], sent[5]]:
        second.ask(image)
    production_look_now()
    assert Wanted.objects.count() == 21 - (0 if kept else 1)
    project.seed = 0  # which of the twelve may be wanted ones is drawn: by this seed, half of them
    leases = lease_items(project=project, annotator=factories.member(project), count=12)
    audits = [one.item for one in leases if one.source == Lease.Source.AUDIT]
    assert audits
    assert set(audits) <= set(new), "the newest, though twelve older ones wait"

    assert audits_withdraw() > 0
    again = Item.objects.get(project=project, digest=sha256(sent[5]).hexdigest())
    wanted = set(Wanted.objects.values_list("item_id", flat=True))
    assert wanted == {one.pk for one in [*new, again, alone]} | kept
    # What somebody has been given is still answered as what it was.
    assert all(Lease.objects.get(pk=one.pk).inclusion is not None for one in leases if one.source == "audit")
    second.act("abort")
    audits_withdraw()
    assert set(Wanted.objects.values_list("item_id", flat=True)) == {alone.pk} | kept


@pytest.mark.django_db
def test_of_too_many_drawn_images_each_is_given_up_with_the_same_chance() -> None:
    project = factories.project()
    items = [factories.item(project) for _ in range(40)]
    digests = [item.digest for item in items]
    # The first is picked, not drawn.
    chances = {digest: 0.1 + 0.8 * (number % 2) for number, digest in enumerate(digests) if number}
    stayed = Counter[int]()
    for _ in range(200):
        Wanted.objects.all().delete()
        items_want(project=project, digests=digests, kind="audit", reason="", inclusion=chances)
        assert wanted_thin(project=project, most=10) == 29
        stayed.update(Wanted.objects.values_list("item_id", flat=True))
        assert wanted_thin(project=project, most=10) == 0
    assert stayed.pop(items[0].pk) == 200, "what was picked is not counted"
    # 10 of 39: Binomial(200, 0.256) has a standard deviation of 6.2.
    assert len(stayed) == 39
    assert all(abs(count - 200 * 10 / 39) < 5 * 6.2 for count in stayed.values())
    often = sum(stayed[item.pk] for item in items[1::2])
    assert abs(often - 2000 * 20 / 39) < 5 * 20, "whatever their chances"


def test_what_is_stored_late_after_an_outage_is_asked_all_the_same(
    service: Service, settings: Settings, tmp_path: Path
) -> None:
    rolled = rollout(service, "ab", trained.version(service.project, seed=1), audit_share=1.0)
    items_sent(rolled, 1)
    [late] = Prediction.objects.all()
    Prediction.objects.all().delete()
    production_look_now()
    settings.SPOOL_DIR = tmp_path
    held = tmp_path / f"{time.time_ns() - 60 * 10**9}-1-a.rows"
    held.touch()
    rolled.ask(picture(DARK, 7))  # nothing that is asked: the project does not have it
    Deployment.objects.update(looked_until=timezone.now() - timedelta(seconds=3))
    production_look()
    assert not Wanted.objects.exists()
    late.save(force_insert=True)
    Prediction.objects.filter(pk=late.pk).update(created_at=timezone.now() - timedelta(seconds=50))
    held.unlink()
    time.sleep(2.1)
    rolled.ask(picture(DARK, 8))
    production_look()
    assert Wanted.objects.get().item.digest == late.digest
