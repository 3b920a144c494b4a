"""Which features a project gets is decided by labels that none of them has learned from."""

import pytest
from django.core.files.storage import default_storage

from labelling.models import Item
from learning.models import Learner
from learning.services import comparison
from learning.services.artifacts import artifact_get
from learning.services.backbones import backbone_artifact, backbone_store
from learning.services.comparison import backbones_compared
from tests.learning.digits import digits_project, embed_all, label_items

pytestmark = pytest.mark.django_db


def test_a_backbone_in_use_that_saw_the_labels_is_not_asked_these() -> None:
    project, truth = digits_project(120)
    embed_all()
    label_items(project, truth, 40)
    plain = backbone_artifact(name="pixels")
    taught = backbone_store(
        name="taught",
        onnx=artifact_get(digest=plain.digest, suffix=".onnx"),
        input_size=plain.input_size,
        features=plain.features,
        origin=plain.name,
    )
    Learner.objects.filter(project=project).update(backbone=taught.name)
    found = backbones_compared(project=project, candidates=[plain])
    assert found.better == ""
    assert "taught learned from the labels, so the hold-out alone can judge; it has 0 labels" in found.note
    label_items(project, truth, 25, Item.Split.HOLDOUT)
    found = backbones_compared(project=project, candidates=[plain])
    assert found.note.startswith("taught gives the true label of 25 held-back images")
    assert found.note.endswith("it stays in use.")  # of equals
    # Neither saw labels: all those of the pool can be asked.
    Learner.objects.filter(project=project).update(backbone="efficientnet-lite0")
    assert "of 40 held-back images" in backbones_compared(project=project, candidates=[plain]).note
    # An image that is gone by now costs itself alone, not the features that were learned for hours.
    lost = Item.objects.filter(project=project, split=Item.Split.POOL, consensus__isnull=False).first()
    assert lost is not None
    default_storage.delete(lost.path)
    assert "of 39 held-back images" in backbones_compared(project=project, candidates=[plain]).note


def test_of_many_labels_those_that_compare_are_drawn_from_all(monkeypatch: pytest.MonkeyPatch) -> None:
    project, truth = digits_project(120)
    embed_all()
    label_items(project, truth, 60)
    everything = {item.pk for item in comparison._known(project).items}
    assert len(everything) == 60
    monkeypatch.setattr(comparison, "COMPARED", 20)
    drawn = {item.pk for item in comparison._known(project).items}
    # An import class by class would leave the last ones out.
    assert len(drawn) == 20
    assert len(drawn & set(sorted(everything)[30:])) > 4
