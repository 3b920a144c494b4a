"""A project that asks two questions answers both; a champion, a promotion and a feedback belong to one."""

import json

from django.test import Client

from labelling.models import Membership
from learning.models import Learner
from serving.models import Deployment, Prediction
from serving.services.champions import champions
from serving.services.deployments import deployments_consider, deployments_create_missing
from tests import factories
from tests.serving import trained
from tests.serving.conftest import Service, until
from tests.serving.trained import DARK, LIGHT, picture


def both(service: Service) -> Service:
    """The service, whose project asks a second question with a model of its own since."""
    mood = factories.question(service.project, "mood", "Which mood?", ("sad", "glad"))
    Learner.objects.create(project=service.project, question=mood, seed=3)
    trained.version(service.project, question="mood")
    deployments_create_missing()
    deployments_consider()
    until(lambda: len(champions.get(service.project.pk)) == 2)
    return service


def test_one_image_gets_an_answer_to_each_question_and_feedback_to_each(service: Service) -> None:
    both(service)
    answer = service.client.post(service.predict_path, picture(DARK), content_type="image/png").json()
    [first] = answer["predictions"]
    assert first["question"] == "label"
    assert first["labels"][0]["label"] == "dark"
    assert set(first["answers"]) == {"label", "mood"}
    assert first["answers"]["label"] == {
        "model": answer["model"],
        **{name: first[name] for name in ("id", "arm", "labels")},
    }
    mood = first["answers"]["mood"]
    assert mood["labels"][0]["label"] == "sad"
    assert mood["model"]["version"] != answer["model"]["version"]
    stored = Prediction.objects.get(pk=mood["id"])
    assert stored.model_version.learner.question.key == "mood"

    address = f"/api/v1/projects/{service.project.slug}/predictions/{mood['id']}/feedback"

    def report(label: str) -> tuple[int, str]:
        sent = service.client.post(address, json.dumps({"label": label}), content_type="application/json")
        return sent.status_code, sent.content.decode()

    assert report("glad")[0] == 201
    status, sentence = report("dark")
    assert (status, "It has: sad, glad" in sentence) == (400, True)


def test_with_one_question_the_answer_is_as_it_always_was(service: Service) -> None:
    answer = service.client.post(service.predict_path, picture(LIGHT), content_type="image/png").json()
    assert set(answer) == {"model", "predictions"}
    assert [set(one) for one in answer["predictions"]] == [{"index", "id", "arm", "labels"}]


def test_a_promotion_is_of_one_question(service: Service, client: Client) -> None:
    both(service)
    second = trained.version(service.project, seed=1, question="mood")
    of_mood = Deployment.objects.get(question__key="mood")
    assert of_mood.champion != second
    client.force_login(factories.member(service.project, Membership.Role.MANAGER))
    address = f"/projects/{service.project.slug}/deployment/"
    client.post(f"{address}promote", {"version": second.number})
    of_mood.refresh_from_db()
    first = Deployment.objects.get(question__key="label")
    assert (of_mood.champion, of_mood.automatic) == (second, False)
    assert (first.champion, first.automatic) == (service.version, True)
    page = client.get(address).content.decode()
    assert page.count("badge-accent") == 2
    assert "Which mood?" in page
    client.post(f"{address}automatic", {"automatic": "on", "question": of_mood.question_id})
    of_mood.refresh_from_db()
    assert of_mood.automatic
    panel = client.get(f"/projects/{service.project.slug}/serving/panel/").content.decode()
    assert "Which mood?" in panel
