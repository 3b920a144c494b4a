import json
from typing import Any

import numpy as np
import pytest

from labelling.models import Item, Project, Queue, QueueEntry
from learning.core.methods import METHODS
from learning.models import ModelVersion, Round, TrainingRun
from learning.selectors import methods_offered
from learning.services.artifacts import artifact_get, predictor_load
from learning.services.learners import learner_update
from learning.services.pool_embeddings import embeddings_open
from learning.services.runs import runs_create_due
from learning.services.training import run_train
from tests.learning.digits import digits_project, due_run, embed_all, label_items, learner_of

pytestmark = pytest.mark.django_db


def test_labels_become_a_version_a_round_and_a_reordered_queue() -> None:
    project, truth = digits_project(300)
    embed_all()
    label_items(project, truth, 60)
    label_items(project, truth, 50, Item.Split.HOLDOUT)

    assert run_train(run_id=due_run().pk)

    version = ModelVersion.objects.get(project=project)
    assert (version.number, version.labels, version.holdout_labels) == (1, 60, 50)
    assert version.metrics["accuracy_low"] < version.metrics["accuracy"] <= version.metrics["accuracy_high"]
    assert version.metrics["accuracy"] > 0.6
    queue = Queue.objects.get(project=project)
    entries = QueueEntry.objects.filter(project=project, generation=queue.generation).order_by("rank")
    open_pool = Item.objects.filter(project=project, split=Item.Split.POOL, open=True)
    assert {entry.item_id for entry in entries} == set(open_pool.values_list("id", flat=True))
    scores = [entry.score for entry in entries]
    assert scores == sorted(scores, reverse=True)
    suggested = [entry.suggestion.name == truth[entry.item_id] for entry in entries if entry.suggestion]
    assert len(suggested) == len(scores)
    assert sum(suggested) / len(suggested) > 0.6
    made = Round.objects.get(project=project)
    assert (queue.round_number, queue.model_digest) == (made.number, version.digest)
    assert [entry["item"] for entry in made.head] == [entry.item_id for entry in entries[:100]]
    learner = learner_of(project)
    assert learner.trained_through == queue.through_annotation > 0
    assert learner.requested_at is None
    runs_create_due()
    assert TrainingRun.objects.filter(project=project).count() == 1


def test_the_hold_out_is_neither_trained_on_nor_ranked() -> None:
    project, truth = digits_project(120)
    embed_all()
    label_items(project, truth, 40)
    label_items(project, truth, 10, Item.Split.HOLDOUT)
    run_train(run_id=due_run().pk)
    first = ModelVersion.objects.get(project=project)

    label_items(project, truth, 15, Item.Split.HOLDOUT)
    run_train(run_id=due_run().pk)

    second = ModelVersion.objects.filter(project=project).first()
    assert second is not None
    assert (second.number, second.labels, second.holdout_labels) == (2, 40, 25)
    assert second.card["weights"] == first.card["weights"]
    assert not QueueEntry.objects.filter(project=project, item__split=Item.Split.HOLDOUT).exists()


def test_the_card_and_all_it_names_are_found_by_their_digests() -> None:
    project, truth = digits_project(80)
    embed_all()
    label_items(project, truth, 30)
    run_train(run_id=due_run().pk)

    version = ModelVersion.objects.get(project=project)

    assert json.loads(artifact_get(digest=version.digest, suffix=".json")) == version.card
    snapshot = json.loads(artifact_get(digest=version.card["snapshot"], suffix=".json"))
    assert len(snapshot["labels"]) == 30
    assert artifact_get(digest=version.card["weights"], suffix=".safetensors")
    embeddings = embeddings_open(project=project, backbone=version.backbone).take(np.arange(3))
    proba = predictor_load(version=version).predict_features(embeddings)
    assert proba.shape == (3, 10)
    assert proba.sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert predictor_load(version=version) is predictor_load(version=version)


def test_the_same_labels_recipe_and_seed_give_the_same_version_once() -> None:
    project, truth = digits_project(80)
    embed_all()
    label_items(project, truth, 30)
    run_train(run_id=due_run().pk)

    learner_update(learner=learner_of(project), strategy="entropy")
    run_train(run_id=due_run().pk)

    version = ModelVersion.objects.get(project=project)
    rounds = Round.objects.filter(project=project).order_by("number")
    assert [(made.strategy, made.model_version) for made in rounds] == [
        ("auto", version),
        ("entropy", version),
    ]
    assert len({made.seed for made in rounds}) == 2


@pytest.mark.parametrize("strategy", ["random", "committee", "ranked-batch"])
def test_a_strategy_that_needs_more_gets_it(strategy: str) -> None:
    project, truth = digits_project(80)
    embed_all()
    learner_update(learner=learner_of(project), strategy=strategy)
    label_items(project, truth, 30)

    run_train(run_id=due_run().pk)

    assert Round.objects.get(project=project).strategy == strategy


def test_before_two_classes_are_labelled_nothing_is_trained() -> None:
    project, truth = digits_project(60)
    embed_all()
    zeros = {pk: label for pk, label in truth.items() if label == "0"}
    Item.objects.filter(project=project).exclude(pk__in=zeros).update(open=False)
    label_items(project, truth, 3)

    # The images were embedded: they are ranked, without a model.
    assert run_train(run_id=due_run().pk)
    made = Round.objects.get(project=project)
    assert (made.model_version, made.strategy) == (None, "auto")
    assert "Max herding, as there is no model yet." in made.reason
    queue = Queue.objects.get(project=project)
    assert (queue.round_number, queue.model_digest) == (1, "")
    entries = QueueEntry.objects.filter(project=project, generation=queue.generation)
    assert entries.filter(item__split=Item.Split.POOL, suggestion=None).count() == entries.count() > 0

    # More labels of the one class change nothing.
    Item.objects.filter(project=project, pk__in=zeros).update(open=True)
    label_items(project, truth, 1)
    runs_create_due()
    assert TrainingRun.objects.count() == 1
    assert not ModelVersion.objects.exists()


def test_a_project_deleted_in_the_middle_ends_its_run_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    project, truth = digits_project(60)
    embed_all()
    label_items(project, truth, 20)
    run = due_run()

    def deleted(**_: object) -> int:
        Project.objects.filter(pk=project.pk).delete()
        return 0

    # The moment between claiming and reading cannot be hit from outside.
    monkeypatch.setattr("learning.services.training.labelled_read", lambda _: deleted() or 1 / 0)

    assert not run_train(run_id=run.pk)
    assert not TrainingRun.objects.filter(pk=run.pk).exists()


@pytest.mark.parametrize("method", methods_offered())
def test_every_method_trains_on_a_project_and_the_same_labels_give_the_same_bits(method: str) -> None:
    project, truth = digits_project(150)
    embed_all()
    label_items(project, truth, 40)
    label_items(project, truth, 20, Item.Split.HOLDOUT)
    learner_update(learner=learner_of(project), method=method)
    assert run_train(run_id=due_run().pk)
    version = ModelVersion.objects.get(project=project)
    assert version.method == method
    assert version.metrics["accuracy"] > 0.6
    unlabelled = Item.objects.filter(project=project, split=Item.Split.POOL).count() - 40
    # The automatic one has nothing compared yet, and uses transfer.
    uses = method != "auto" and "unlabelled" in METHODS[method].uses
    assert version.card["unlabelled"]["items"] == (unlabelled if uses else 0)
    learner_update(learner=learner_of(project))
    assert run_train(run_id=due_run().pk)
    assert ModelVersion.objects.filter(project=project).count() == 1


def test_a_training_keeps_to_the_time_and_memory_it_is_given_and_the_version_says_so() -> None:
    project, truth = digits_project(420)
    embed_all()
    label_items(project, truth, 40)
    label_items(project, truth, 20, Item.Split.HOLDOUT)
    learner = learner_of(project)

    def trained(**recipe: Any) -> ModelVersion:
        learner_update(learner=learner, **recipe)
        assert run_train(run_id=due_run().pk)
        return ModelVersion.objects.filter(project=project).order_by("-number")[0]

    transfer = trained(method="transfer")
    less = trained(method="semi-supervised", training_megabytes=23)
    unlabelled = Item.objects.filter(project=project, split=Item.Split.POOL).count() - 40
    count = less.card["unlabelled"]["items"]
    assert 200 <= count < unlabelled
    assert f"It learned from {count} of {unlabelled} images without a label" in less.card["note"]
    assert less.card["weights"] != transfer.card["weights"]

    quick = trained(method="self-training", training_seconds=1)
    assert quick.card["note"].endswith(
        "Transfer instead of Self-training, which needs about 3 seconds of the 1 that a training may take."
    )
    assert quick.card["weights"] == transfer.card["weights"]
    assert (quick.method, quick.card["unlabelled"]["items"]) == ("self-training", 0)
    assert "Self-training" not in (trained(training_seconds=300).card["note"] or "")
