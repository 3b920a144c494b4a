"""A project without a hold-out: what its accuracy rests on, and what the pages say of it."""

from uuid import uuid4

import numpy as np
import pytest
from django.test import Client

from labelling.models import Item, Membership, Project
from labelling.selectors import asked_in_order
from labelling.services.annotations import annotation_record
from labelling.services.leases import lease_items
from learning.core.methods import METHODS, Head, TrainingData
from learning.core.methods.folds import cross_fitted
from learning.models import ModelVersion
from learning.services.training import run_train
from serving.services.deployments import deployments_consider, deployments_create_missing
from tests import factories
from tests.learning.digits import digits_project, due_run, embed_all, learner_of

pytestmark = pytest.mark.django_db


def label_leased(project: Project, truth: dict[int, str], count: int) -> None:
    """As people label: what the queue hands out, in its order; the first is only skipped."""
    person = factories.member(project)
    question = project.questions.get()
    labels = {label.name: label for label in question.labels.all()}
    for number, lease in enumerate(lease_items(project=project, annotator=person, count=count)):
        annotation_record(
            project=project,
            annotator=person,
            uuid=uuid4(),
            item=lease.item,
            question=question,
            label=labels[truth[lease.item_id]] if number else None,
            seconds=1.0,
        )


@pytest.fixture
def without_holdout() -> tuple[Project, dict[int, str]]:
    project, truth = digits_project(400)
    Project.objects.filter(pk=project.pk).update(holdout_share=0.0)
    Item.objects.filter(project=project).update(split=Item.Split.POOL)
    project.refresh_from_db()
    embed_all()
    return project, truth


def test_the_accuracy_is_estimated_by_the_random_draws_and_says_so(
    without_holdout: tuple[Project, dict[int, str]],
) -> None:
    project, truth = without_holdout
    for _ in range(4):
        label_leased(project, truth, 30)
        assert run_train(run_id=due_run().pk)
    version = ModelVersion.objects.filter(project=project).first()
    assert version is not None
    metrics = version.metrics
    drawn = [item for item, at_random in asked_in_order(project.questions.get()) if at_random]
    assert metrics["basis"] == "draws"
    assert len(drawn) - 4 <= metrics["n"] <= len(drawn)
    assert metrics["accuracy_low"] < metrics["accuracy"] < metrics["accuracy_high"]
    assert metrics["accuracy"] > 0.7
    assert (version.labels, version.holdout_labels) == (116, 0)
    # Calibrated on the draws, by models that had not seen them.
    assert sum(row["n"] for row in metrics["reliability"]) == metrics["n"]
    assert metrics["temperature"] != 1.0

    words = f"{metrics['n']} random draws"
    client = Client()
    client.force_login(factories.member(project, Membership.Role.REVIEWER))
    base = f"/projects/{project.slug}"
    assert f"estimated by {words}" in client.get(f"{base}/learning/panel/").content.decode()
    assert "estimated without a hold-out" in learner_of(project).outlook["sentence"]
    page = client.get(f"{base}/models/{version.number}/").content.decode()
    assert "The project has no hold-out" in page
    assert words in client.get(f"{base}/models/").content.decode()
    points = client.get(f"{base}/learning/curve.json").json()["points"]
    assert points[-1]["measured_on"] == words
    deployments_create_missing()
    (decision,) = [one for one in deployments_consider() if one.project_id == project.pk]
    assert decision.action == "promote"
    deployed = client.get(f"{base}/deployment/").content.decode()
    assert f"accuracy by {words}" in deployed
    assert "hold-out label" not in deployed


def test_the_same_labels_give_the_same_estimate_and_no_draw_gives_none(
    without_holdout: tuple[Project, dict[int, str]],
) -> None:
    project, truth = without_holdout
    label_leased(project, truth, 40)
    run_train(run_id=due_run().pk)
    first = ModelVersion.objects.get(project=project)
    learner = learner_of(project)
    learner.requested_at = first.created_at
    learner.save()
    run_train(run_id=due_run().pk)
    assert ModelVersion.objects.get(project=project) == first  # the same digest: nothing new

    Project.objects.filter(pk=project.pk).update(holdout_queue_share=0.0)
    label_leased(Project.objects.get(pk=project.pk), truth, 40)
    run_train(run_id=due_run().pk)
    client = Client()
    client.force_login(factories.member(project))
    assert "estimated by" in client.get(f"/projects/{project.slug}/learning/panel/").content.decode()


def test_each_label_is_judged_by_a_head_that_did_not_see_it() -> None:
    rng = np.random.default_rng(0)
    labels = np.array([0, 0, 0, 1, 1, 1, 2], np.int64)
    data = TrainingData(rng.normal(size=(7, 4)).astype(np.float32), labels, 3)
    seen: list[TrainingData] = []

    def fit(part: TrainingData) -> Head:
        seen.append(part)
        return METHODS["transfer"].fit(part, {}, rng)

    logits, held = cross_fitted(fit, data, 3, rng)
    assert held.tolist() == [True] * 6 + [False]
    assert (logits[6] == 0).all()
    assert [len(part.labels) for part in seen] == [5, 5, 5]
    assert all((part.labels == 2).sum() == 1 for part in seen)
