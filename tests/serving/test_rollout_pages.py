"""The pages of rollouts, as a manager uses them."""

import uuid
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from labelling.models import Project, Wanted
from labelling.services.annotations import annotation_record
from serving.core.modes import MODES
from serving.models import Decision, Feedback, Prediction, Rollout
from serving.services.traffic import traffic_policy_set
from serving.tasks import tick
from tests import factories
from tests.serving import trained

pytestmark = pytest.mark.django_db


def manager_of(project: Project) -> Client:
    client = Client()
    client.force_login(factories.member(project, "manager"))
    return client


@pytest.fixture
def project() -> Project:
    """Version 2 answers; version 1 may be tried."""
    made = trained.project()
    trained.bare_version(made, 0.8, 0.7, 0.88)
    trained.bare_version(made, 0.9, 0.85, 0.94)
    tick()
    return made


def test_the_form_offers_every_mode_and_needs_only_a_version(project: Project) -> None:
    client, address = manager_of(project), f"/projects/{project.slug}/rollouts/new/"
    page = client.get(address).content.decode()
    for mode in MODES.values():
        assert mode.title in page
        assert all(setting.title in page for setting in mode.settings)
    assert page.count(" are enough to see that a version has 93.0% right where the champion has 90.0%.") == 4
    assert " choices are enough to see" in page
    assert " labels are enough to be sure that a version is at most 5 points worse than the champion" in page
    for name in MODES:
        Rollout.objects.all().delete()
        answer = client.post(address, {"mode": name, "challenger": "1", "start": "yes"})
        rollout = Rollout.objects.get()
        assert answer.headers["Location"] == f"/projects/{project.slug}/rollouts/{rollout.pk}/"
        assert (rollout.mode, rollout.state) == (name, "running")
        shown = client.get(answer.headers["Location"]).content.decode()
        assert "Roll back" in shown


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({}, "Choose the version to try."),
        ({"challenger": "2"}, "Version 2 is the champion itself"),
        ({"challenger": "9"}, "Choose the version to try."),
        ({"challenger": "1", "mode": "luck"}, "There is no mode 'luck'"),
        ({"challenger": "1", "ab-share": "2"}, "Share of clients must be between 0.01 and 0.9, not 2."),
        ({"challenger": "1", "ab-share": "half"}, "Share of clients: 'half' is not a number."),
        (
            {"challenger": "1", "mode": "canary", "canary-steps": "0.5, 0.1"},
            "Steps must be at least one share",
        ),
        ({"challenger": "1", "audit_share": "200"}, "Audited share: write a number between 0 and 100"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence_and_nothing_is_made(
    project: Project, sent: dict[str, str], sentence: str
) -> None:
    answer = manager_of(project).post(f"/projects/{project.slug}/rollouts/new/", {"mode": "ab", **sent})
    assert answer.status_code == 422
    assert sentence.replace("'", "&#x27;") in answer.content.decode()
    assert not Rollout.objects.exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"mode": "luck"}, "There is no mode 'luck'"),
        ({"config": {"share": 0.5, "stakes": 3}}, "There is no 'stakes'; there are "),
        ({"progress": {"step": "first"}}, "'step' must be a whole number, not 'first'."),
    ],
)
def test_a_rollout_that_cannot_run_says_so_and_can_be_rolled_back(
    project: Project, change: dict[str, Any], sentence: str
) -> None:
    client, rollouts = manager_of(project), f"/projects/{project.slug}/rollouts/"
    client.post(f"{rollouts}new/", {"mode": "ab", "challenger": "1", "start": "yes"})
    Rollout.objects.update(**change)
    rollout = Rollout.objects.get()
    for path in (f"{rollouts}{rollout.pk}/", f"{rollouts}{rollout.pk}/part/"):
        page = unescape(client.get(path).content.decode())
        assert f"It cannot run, so the champion answers everyone. {sentence}" in page
        assert "Version 2, the champion <b>100%</b>" in page
    assert "Roll back" in client.get(f"{rollouts}{rollout.pk}/").content.decode()
    assert client.get(rollouts).status_code == 200
    [told] = client.get(f"/api/v1{rollouts.rstrip('/')}").json()["rollouts"]
    assert sentence in told["error"]
    assert told["split"]["weights"] == {"champion": 1.0}
    assert client.post(f"{rollouts}{rollout.pk}/act", {"act": "abort"}).status_code == 302
    rollout.refresh_from_db()
    assert rollout.state == Rollout.State.ROLLED_BACK
    assert "It cannot run" not in client.get(f"{rollouts}{rollout.pk}/").content.decode()


def test_a_draft_of_a_mode_that_is_gone_is_refused_in_a_sentence(project: Project) -> None:
    client, rollouts = manager_of(project), f"/projects/{project.slug}/rollouts/"
    client.post(f"{rollouts}new/", {"mode": "ab", "challenger": "1", "start": "no"})
    Rollout.objects.update(mode="luck")
    refused = client.post(f"{rollouts}{Rollout.objects.get().pk}/act", {"act": "start"})
    assert refused.status_code == 422
    assert "There is no mode 'luck'" in unescape(refused.content.decode())


def test_a_rollout_that_gets_no_labels_says_what_is_missing_and_who_can_do_what(project: Project) -> None:
    client, rollouts = manager_of(project), f"/projects/{project.slug}/rollouts/"
    client.post(f"{rollouts}new/", {"mode": "shadow", "challenger": "1", "start": "yes"})
    rollout = Rollout.objects.get()
    tick()
    Rollout.objects.update(started_at=timezone.now() - timedelta(hours=3))

    def said() -> str:
        told = client.get(f"/api/v1{rollouts}{rollout.pk}").json()["held_up"]
        for page in (f"{rollouts}{rollout.pk}/part/", rollouts):
            assert told in unescape(client.get(page).content.decode())
        return str(told)

    def sent(count: int) -> list[Prediction]:
        return [
            Prediction.objects.create(
                project=project,
                model_version=rollout.arms.get(name="champion").model_version,
                request_id=uuid.uuid4(),
                digest=f"{number:064x}",
                rollout=rollout,
                phase=1,
                audited=True,
                inclusion=0.1,
                top=[{"label": "dark", "probability": 1.0}],
                decode_ms=1,
                infer_ms=1,
            )
            for number in range(count)
        ]

    assert said().startswith("No client has asked anything for an hour or more")
    drawn = sent(5)
    assert said().startswith("Nobody can be asked about the images drawn from its traffic")
    traffic_policy_set(project=project, keep_images=True)
    assert "no image drawn from its traffic waits" in said()
    client.patch(f"/api/v1{rollouts}{rollout.pk}", {"audit_share": 0}, "application/json")
    assert "its audited share is 0%" in said()
    item = factories.item(project)
    Wanted.objects.create(project=project, item=item, kind="audit", reason="")
    assert said() == (
        "No label for 3 hours, while 1 image of live traffic waits to be asked about: somebody must label, "
        "or decide by hand."
    )
    # What clients report is no label of a shadow, but of the others.
    Rollout.objects.update(mode="ab", rule="few-units")
    assert "somebody must label, have clients report the true labels, or decide by hand" in said()
    label = project.questions.get().labels.all()[0]
    Feedback.objects.create(prediction=drawn[0], label=label)
    assert said() == ""
    Rollout.objects.update(mode="shadow", rule="few-labels")
    assert said() != ""
    annotation_record(
        project=project,
        annotator=factories.member(project),
        uuid=uuid.uuid4(),
        item=item,
        question=label.question,
        label=label,
        seconds=1.0,
    )
    assert said() == ""


def test_a_draft_is_started_once_and_the_page_follows_its_state(project: Project) -> None:
    client, rollouts = manager_of(project), f"/projects/{project.slug}/rollouts/"
    made = {"mode": "ab", "challenger": "1", "start": "no"}
    for _ in range(2):
        client.post(f"{rollouts}new/", made)
    second, first = Rollout.objects.all()
    assert client.post(f"{rollouts}{first.pk}/act", {"act": "start"}).status_code == 302
    refused = client.post(f"{rollouts}{second.pk}/act", {"act": "start"})
    assert refused.status_code == 422
    assert f"Rollout {first.pk} of this question is running" in refused.content.decode()
    assert client.post(f"{rollouts}{second.pk}/act", {"act": "discard"}).status_code == 302

    part = f"{rollouts}{first.pk}/part/?state="
    assert "HX-Refresh" not in client.get(f"{part}running").headers
    assert client.get(f"{part}draft").headers["HX-Refresh"] == "true"
    # While it runs, a newer version waits; when a person promotes one, it ends.
    newer = trained.bare_version(project, 0.95, 0.9, 0.98)
    tick()
    assert Decision.objects.filter(model_version=newer).count() == 0
    client.post(f"/projects/{project.slug}/deployment/promote", {"version": newer.number})
    first.refresh_from_db()
    assert first.state == "ended"
    assert "promoted version 3 meanwhile" in client.get(rollouts).content.decode()
    # What it compared says nothing of what answers now.
    page = client.get(f"{rollouts}{first.pk}/").content.decode()
    assert "It is over: what answers now stands on the" in page
    assert "Traffic now" not in page
    assert "100%" not in page
    told = client.get(f"/api/v1{rollouts}{first.pk}").json()
    assert told["split"] == {"weights": {}, "mirrored": 0.0, "merged": 0.0}
