"""What clients send is kept and asked about where the project says so, and never floods the queue."""

import hashlib

import pytest
from django.test import Client

from labelling.models import Annotation, Item, Label, Lease, Queue, Wanted
from serving.core.assignment import bucket
from serving.models import Deployment, Prediction
from serving.selectors import live_accuracy
from serving.services.champions import champions
from serving.services.production import MOST_WAITING
from serving.services.traffic import traffic_policy_set
from tests import factories
from tests.labelling.answering import answer_all
from tests.serving import trained
from tests.serving.conftest import Service, until
from tests.serving.rolled import images, production_look_now, rollout


def test_images_that_the_project_lacks_are_kept_only_if_it_says_so(service: Service) -> None:
    rolled = rollout(service, "ab", trained.version(service.project, seed=1), audit_share=1.0)
    rolled.ask(next(images(1))[0])
    traffic_policy_set(project=service.project, keep_images=True)
    until(lambda: champions.get(service.project.pk)[0].keep_images)
    sent = [image for image, _ in images(4, start=50)]
    for image in sent:
        rolled.ask(image)
    until(lambda: Wanted.objects.count() == 4)
    kept = Item.objects.filter(project=service.project)
    assert {item.split for item in kept} == {Item.Split.POOL}
    assert kept.count() == 4
    assert Queue.objects.get(project=service.project).generation == 0


def test_without_a_rollout_a_share_of_what_is_sent_is_asked_blind_where_images_are_kept(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.services.kept_images.unsure_below", lambda classes: 0.0)
    monkeypatch.setattr("labelling.services.leases.WANTED_SHARE", 1.0)
    project, person = service.project, factories.member(service.project)
    sent = [image for image, _ in images(40)]
    for image in sent[:20]:
        service.client.post(service.predict_path, image, content_type="image/png")
    manager = Client()
    manager.force_login(factories.member(project, "manager"))
    page = f"/projects/{project.slug}/deployment/"
    assert manager.post(f"{page}traffic", {"keep_images": "on", "audit_share": "130"}).status_code == 422
    assert manager.post(f"{page}traffic", {"keep_images": "on", "audit_share": "30"}).status_code == 302
    until(lambda: champions.get(project.pk)[0].audit_share == 0.3)
    assert not Wanted.objects.exists(), "what was sent before was not kept"
    for image in [*sent[10:], *sent[10:20]]:
        service.client.post(service.predict_path, image, content_type="image/png")
    digests = [hashlib.sha256(image).hexdigest() for image in sent[10:]]
    drawn = {one for one in digests if bucket(f"audited of {project.pk}", one) < 0.3}
    assert 1 < len(drawn) < 20
    until(lambda: Wanted.objects.count() == len(drawn))
    wanted = Wanted.objects.select_related("item")
    assert {one.item.digest for one in wanted} == drawn
    assert {(one.kind, one.inclusion) for one in wanted} == {(Wanted.Kind.AUDIT, 0.3)}

    dark = Label.objects.get(question__project=project, name="dark")
    answer_all(project, person, lambda item: dark)
    audited = Annotation.objects.filter(source=Lease.Source.AUDIT).values_list("item__digest", flat=True)
    said = Prediction.objects.filter(digest__in=audited).values_list("digest", "top")
    right = [top[0]["label"] == "dark" for top in dict(said).values()]
    found = live_accuracy(Deployment.objects.get())
    assert found is not None
    assert found.labels == len(audited)
    assert found.right == pytest.approx(sum(right) / len(right))
    assert found.low <= found.right <= found.high
    assert f"{found.right:.1%} (" in manager.get(page).content.decode()


def test_what_models_disagree_on_is_asked_and_kept_and_never_floods_the_queue(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = service.project
    wrong = trained.version(project, seed=1, taught=(1, 0))
    rolled = rollout(service, "shadow", wrong, audit_share=0.0)
    [(image, _), (other, _)] = images(2)
    known = factories.item(project, data=image)
    rolled.ask(image)
    rolled.ask(other)
    until(lambda: Prediction.objects.filter(status="shadow").count() == 2)
    production_look_now()
    assert [(one.item, one.kind) for one in Wanted.objects.all()] == [(known, Wanted.Kind.TRAFFIC)]
    assert "disagree" in Wanted.objects.get().reason

    traffic_policy_set(project=project, keep_images=True)
    until(lambda: champions.get(project.pk)[0].keep_images)
    rolled.ask(other)
    until(lambda: Wanted.objects.count() == 2)
    monkeypatch.setattr("serving.services.production.MOST_WAITING", 2)
    rolled.ask(next(images(1, start=70))[0])
    until(lambda: Prediction.objects.filter(status="shadow").count() == 4)
    assert MOST_WAITING > 2
    assert Wanted.objects.count() == 2
