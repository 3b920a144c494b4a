"""How many labels another project's save: the sentence of a comparison, held to its meaning."""

import re

import numpy as np
import pytest

from labelling.models import Item
from learning.core.methods import METHODS, TrainingData
from learning.core.methods.folds import held_out
from learning.core.networks import pretrain as training_loop
from learning.models import Learner, PretrainingRun
from learning.services.artifacts import embedder_load
from learning.services.backbones import backbone_artifact
from learning.services.comparison import backbones_compared
from learning.services.lessons import images_read
from learning.services.pretraining import pretraining_do, pretraining_request
from tests.learning.digits import digits_project, embed_all, label_items

pytestmark = pytest.mark.django_db


def data_of(name: str, items: list[Item], labels: np.ndarray) -> TrainingData:
    backbone = backbone_artifact(name=name)
    images, there = images_read(items=items, size=backbone.input_size)
    assert len(there) == len(items)
    return TrainingData(embedder_load(digest=backbone.digest).embed(images), labels, 10)


def test_what_another_project_taught_saves_as_many_labels_as_the_sentence_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training_loop, "SIZE", 16)
    project, truth = digits_project(240, holdout_every=3)
    embed_all()
    # What is learned there is learned from its pictures: it comes later, for its features would not be used.
    elsewhere, others = digits_project(700, holdout_every=100)
    label_items(elsewhere, others, 690)
    label_items(project, truth, 60)
    label_items(project, truth, 80, Item.Split.HOLDOUT)

    # A network that knows nothing yet, in use, and what it becomes on the other project's labels.
    first = pretraining_request(project=project, method="vicreg")
    PretrainingRun.objects.filter(pk=first.pk).update(config={"settings": {"epochs": 1, "batch": 64}})
    assert pretraining_do(run_id=first.pk)
    first.refresh_from_db()
    began = first.config["made"]["vicreg"]
    Learner.objects.filter(project=project).update(backbone=began)
    run = pretraining_request(project=project, method="meta-learning")
    PretrainingRun.objects.filter(pk=run.pk).update(config={"settings": {"epochs": 8}})
    assert pretraining_do(run_id=run.pk)
    run.refresh_from_db()
    taught = run.config["made"]["meta-learning"]

    Learner.objects.filter(project=project).update(backbone=began)
    found = backbones_compared(project=project, candidates=[backbone_artifact(name=taught)])
    said = re.search(r"With (\d+) of the (\d+) labels it is as good as the other by all\.$", found.note)
    assert said, found.note
    assert found.better == taught
    few, every = int(said[1]), int(said[2])
    assert every == 60

    items = list(Item.objects.filter(project=project, consensus__isnull=False).order_by("id"))
    labels = np.array([int(truth[item.pk]) for item in items])
    holdout = np.array([item.split == Item.Split.HOLDOUT for item in items])
    pool, asked = np.flatnonzero(~holdout), np.flatnonzero(holdout)

    def likely(name: str, count: int, draws: int) -> float:
        data, rng = data_of(name, items, labels), np.random.default_rng(1)
        return float(
            np.mean(
                [
                    held_out(
                        lambda part: METHODS["transfer"].fit(part, {}, rng),
                        data,
                        [(rng.choice(pool, count, replace=False), asked)],
                    ).likelihood
                    for _ in range(draws)
                ]
            )
        )

    by_all_before = likely(began, every, 1)
    # Other draws of as many labels: about as good, where the old features with as few are far from it.
    assert likely(taught, few, 8) > by_all_before - 0.15
    assert likely(began, few, 8) < by_all_before - 0.15
