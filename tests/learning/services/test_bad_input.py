"""Bad input: each leaves a clear sentence on the project's page, and the last good model answering."""

import io
import json
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone
from PIL import Image

from labelling.models import Item, Label, Membership, Project
from labelling.services.annotations import annotation_record, annotation_undo
from labelling.services.blobs import file_write
from learning.models import ModelVersion, TrainingRun
from learning.selectors import methods_offered
from learning.services import training
from learning.services.embeddings import shard_embed
from learning.services.learners import learner_update, learners_ensure
from learning.services.runs import runs_create_due
from learning.services.shards import shards_plan, shards_to_send
from learning.services.training import run_train
from serving.services.deployments import deployments_consider
from tests import factories
from tests.learning.digits import digits_project, due_run, embed_all, label_items, learner_of
from tests.learning.trained_project import champion_answers, panel, trained

pytestmark = pytest.mark.django_db


def say(project: Project, item: Item, label: Label | None) -> None:
    annotation_record(
        project=project,
        annotator=factories.member(project),
        uuid=uuid4(),
        item=item,
        question=project.questions.get(),
        label=label,
        seconds=1.0,
    )


def test_labels_of_one_class_only() -> None:
    project, truth = digits_project(40)
    embed_all()
    for item in Item.objects.filter(project=project, split=Item.Split.POOL):
        truth[item.pk] = "3"
    label_items(project, truth, 5)
    assert run_train(run_id=due_run().pk)
    assert "Waiting for labels of two classes; then the first model is trained." in panel(project)
    label_items(project, truth, 40)
    assert "Every image was asked, and all answers are of one class: a model needs two." in panel(project)


def test_labels_undone_down_to_one_class_keep_the_last_model() -> None:
    project, truth = trained()
    good = champion_answers(project)
    kept = next(iter(truth.values()))
    answers = project.annotations.filter(kind="answer", item__split=Item.Split.POOL)
    for said in answers.select_related("label", "annotator"):
        if said.label and said.label.name != kept:
            annotation_undo(project=project, annotator=said.annotator, uuid=uuid4(), undoes=said.uuid)
    assert not run_train(run_id=due_run().pk)
    assert "of one class: the last model stays until there are two again." in panel(project)
    assert "Version 1" in panel(project)
    assert champion_answers(project) == good


@pytest.mark.parametrize("method", methods_offered())
def test_one_label_a_class(method: str) -> None:
    project, truth = digits_project(60)
    embed_all()
    learner_update(learner=learner_of(project), method=method)
    labels = {label.name: label for label in Label.objects.filter(question__project=project)}
    for name in labels:
        item = next(
            item
            for item in Item.objects.filter(project=project, split=Item.Split.POOL).order_by("id")
            if truth[item.pk] == name
        )
        say(project, item, labels[name])
    assert run_train(run_id=due_run().pk)
    assert "accuracy: no hold-out image is labelled yet" in panel(project)
    assert champion_answers(project).labels == 10


def test_a_thousand_classes() -> None:
    project = factories.project(labels=tuple(f"class {number}" for number in range(1000)))
    splits = [Item.Split.POOL, Item.Split.POOL, Item.Split.POOL, Item.Split.HOLDOUT] * 15
    items = [factories.item(project, split) for split in splits]
    Item.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    embed_all()
    labels = list(Label.objects.filter(question__project=project))
    for number, item in enumerate(items[:56]):
        say(project, item, labels[number * 17 % 1000])
    assert run_train(run_id=due_run().pk)
    version = champion_answers(project)
    assert len(version.card["classes"]) == 1000
    assert len(json.dumps(version.card)) < 200_000
    # All wrong: no class of the hold-out was ever seen. Each mistake opens its image.
    page = panel(project, "models/1", Membership.Role.REVIEWER)
    assert page.count("taken for class") == len(version.metrics["confused"]) == 14
    truth, guess, _ = version.metrics["confused"][0]
    opened = panel(project, f"models/1/{truth}/{guess}", Membership.Role.REVIEWER)
    assert "/items/" in opened
    for name in ("panel", "learning/panel", "label"):
        assert panel(project, name)


def test_an_empty_pool() -> None:
    project, _ = digits_project(20, holdout_every=1)
    embed_all()
    assert "Every image is held out for measuring: import more" in panel(project)
    assert run_train(run_id=due_run().pk)
    assert "The pool is empty: there is nothing left to ask." in panel(project)

    project, truth = trained(40, labels=40)
    good = champion_answers(project)
    said = panel(project)
    assert "Up to date: every image that is not held out is answered. Import more to go on." in said
    assert "The pool is empty: there is nothing left to ask." in said
    assert "go on:" not in learner_of(project).outlook["sentence"]
    label_items(project, truth, 2, Item.Split.HOLDOUT)
    assert run_train(run_id=due_run().pk)
    assert champion_answers(project).labels == good.labels


def test_all_items_skipped() -> None:
    project, _ = digits_project(12)
    embed_all()
    for item in Item.objects.filter(project=project):
        say(project, item, None)
    assert "Every image was skipped: nothing can be learned until some are answered." in panel(project)
    run_train(run_id=due_run().pk)
    assert not ModelVersion.objects.exists()

    project, _ = trained()
    for item in Item.objects.filter(project=project, open=True):
        say(project, item, None)
    assert run_train(run_id=due_run().pk)
    assert champion_answers(project).labels == 20


def plain(grey: int, number: int) -> bytes:
    """All pixels the same; the file differs in its size, so that it is an image of its own."""
    out = io.BytesIO()
    Image.new("RGB", (16 + number, 16), (grey, grey, grey)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("shades", [1, 2])
@pytest.mark.parametrize("strategy", ["auto", "uherding", "coreset"])
def test_constant_images(shades: int, strategy: str) -> None:
    project = factories.project()
    for number in range(24):
        split = Item.Split.HOLDOUT if number % 4 == 3 else Item.Split.POOL
        factories.item(project, split, plain(200 * (number % shades), number))
    Item.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    embed_all()
    learner_update(learner=learner_of(project), strategy=strategy)
    cat, dog = Label.objects.filter(question__project=project)
    for item in Item.objects.filter(project=project).order_by("id")[:16]:
        say(project, item, dog if item.pk % 2 else cat)
    assert run_train(run_id=due_run().pk)
    version = champion_answers(project)
    assert version.metrics["accuracy"] is not None
    assert TrainingRun.objects.get(project=project).error == ""


def test_images_that_no_longer_decode_are_named_and_the_rest_goes_on() -> None:
    project, truth = digits_project(40)
    lost, cut, *_ = Item.objects.filter(project=project, split=Item.Split.POOL).order_by("id")
    default_storage.delete(lost.path)
    file_write(path=cut.path, data=b"\x89PNG\r\n", durable=False)
    embed_all()
    said = panel(project)
    assert f"Nothing is learned from 2 images whose file is lost or damaged: {lost.name}, {cut.name}." in said
    label_items(project, truth, 20)
    assert run_train(run_id=due_run().pk)
    assert champion_answers(project).labels == 18


def test_contradictory_labels() -> None:
    project, _ = digits_project(40)
    Project.objects.filter(pk=project.pk).update(overlap=2)
    project.refresh_from_db()
    embed_all()
    labels = list(Label.objects.filter(question__project=project))
    items = list(Item.objects.filter(project=project, split=Item.Split.POOL).order_by("id"))
    for number, item in enumerate(items[:20]):
        say(project, item, labels[number % 2])
        say(project, item, labels[1 - number % 2])
    assert run_train(run_id=due_run().pk)
    assert "People disagree on 20 images; the answer of most counts, of equals the first." in panel(
        project, "panel"
    )
    assert champion_answers(project).labels == 20


@pytest.mark.parametrize("moment", ["training_data", "version_draft", "outlook_of", "_publish"])
def test_a_project_deleted_in_the_middle_of_training(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    project, _ = trained()
    learner_update(learner=learner_of(project))
    run = due_run()
    real: Callable[..., object] = getattr(training, moment)

    def after_the_deletion(*args: object, **given: object) -> object:
        Project.objects.filter(pk=project.pk).delete()
        return real(*args, **given)

    # The moment cannot be hit from outside.
    monkeypatch.setattr(training, moment, after_the_deletion)
    assert not run_train(run_id=run.pk)
    assert not Project.objects.filter(pk=project.pk).exists()
    assert not TrainingRun.objects.filter(pk=run.pk).exists()
    runs_create_due()
    deployments_consider()


def test_a_project_deleted_while_its_images_are_embedded() -> None:
    project, _ = digits_project(12)
    learners_ensure()
    shards_plan()
    (shard_id,) = shards_to_send()
    Project.objects.filter(pk=project.pk).delete()
    assert not shard_embed(shard_id=shard_id)
