import pytest
from django.test import Client
from django.utils.html import escape

from labelling.models import Item, Queue
from learning.core import stopping
from learning.models import ModelVersion
from learning.services.learners import learner_update
from learning.services.training import run_train
from tests import factories
from tests.learning.digits import digits_project, due_run, embed_all, label_items, learner_of

pytestmark = pytest.mark.django_db


def test_the_page_says_what_more_labels_would_add_and_when_to_stop() -> None:
    project, truth = digits_project(260)
    embed_all()
    label_items(project, truth, 60, Item.Split.HOLDOUT)
    sentences = []
    for _ in range(4):
        label_items(project, truth, 30)
        assert run_train(run_id=due_run().pk)
        sentences.append(learner_of(project).outlook["sentence"])
    assert "too few models yet" in sentences[0]
    version = ModelVersion.objects.filter(project=project).first()
    assert version is not None
    learner = learner_of(project)
    outlook = learner.outlook
    assert sentences[-1].startswith(f"{100 * version.metrics['accuracy']:.1f}% (")
    assert "100 more labels are expected to add" in sentences[-1]
    assert outlook["gain_low"] <= outlook["gain"] <= outlook["gain_high"]
    now, *_, last = outlook["forecast"]
    assert (now["labels"], last["labels"]) == (120, 240)
    assert now["low"] < now["mean"] < last["mean"] < last["high"] <= 1

    # With 60 hold-out labels 99.9% cannot be proven; 50% is proven at a glance.
    for target, said in ((0.999, True), (0.5, False)):
        learner_update(learner=learner, target=target)
        assert run_train(run_id=due_run().pk)
        assert ("99.9% is not" in learner_of(project).outlook["sentence"]) is said
    client = Client()
    client.force_login(factories.member(project))
    panel = client.get(f"/projects/{project.slug}/learning/panel/").content.decode()
    assert escape(learner_of(project).outlook["sentence"]) in panel


def test_when_only_the_proof_is_missing_most_questions_are_blind(monkeypatch: pytest.MonkeyPatch) -> None:
    project, truth = digits_project(200)
    embed_all()
    label_items(project, truth, 12, Item.Split.HOLDOUT)
    for _ in range(4):
        label_items(project, truth, 30)
        assert run_train(run_id=due_run().pk)
    queue = Queue.objects.get(project=project)
    assert queue.blind_share == 0.0
    # Some hundred labels make no model that is steady and done.
    monkeypatch.setattr(stopping, "KAPPA", 0.0)
    monkeypatch.setattr(stopping, "WORTH", 1.0)
    learner_update(learner=learner_of(project), target=0.7)
    label_items(project, truth, 1)
    assert run_train(run_id=due_run().pk)
    outlook = learner_of(project).outlook
    assert "go on: 70% is not proven (about" in outlook["sentence"]
    queue.refresh_from_db()
    assert queue.blind_share == 0.9
    assert queue.reason.startswith("Nine questions in ten are blind now")
