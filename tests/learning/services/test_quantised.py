"""The int8 version of a backbone: made once, calibrated on the pool, measured on the hold-out alone."""

import html
from datetime import timedelta
from typing import Any

import numpy as np
import onnx
import pytest
from django.conf import LazySettings
from django.core.files.storage import default_storage
from django.db import ProgrammingError, transaction
from django.test import Client
from django.utils import timezone

from labelling.models import Item
from learning.core.export import head_read
from learning.models import EmbeddingShard, Learner, ModelVersion, QuantisedBackbone, QuantisedExport, Work
from learning.quantised_selectors import precisions_of
from learning.services.artifacts import artifact_get, embedder_load
from learning.services.lessons import images_read
from learning.services.quantised import quantised_do, quantised_plan
from learning.services.training import run_train
from learning.services.work import STALE, works_take_over, works_to_send
from tests import factories
from tests.learning.digits import due_run, embed_all, label_items
from tests.learning.services.test_full_disk import FullDisk
from tests.learning.small_backbone import measured, quantised, small_project
from tests.learning.trained_project import champion_answers

pytestmark = pytest.mark.django_db


def test_int8_is_measured_on_the_hold_out_alone() -> None:
    project, truth = small_project()
    made = quantised(project)
    version = ModelVersion.objects.get(project=project)
    export = QuantisedExport.objects.get(version=version)

    assert made.images == 120  # the pool's
    assert 0 < 2 * (made.size_int8 or 0) < (made.size or 0)
    graph = onnx.load_model_from_string(artifact_get(digest=made.digest, suffix=".onnx")).graph
    assert "QuantizeLinear" in {node.op_type for node in graph.node}
    shards = EmbeddingShard.objects.filter(backbone=made.name)
    holdout = Item.objects.filter(project=project, split=Item.Split.HOLDOUT).order_by("id")
    assert [pk for shard in shards for pk in shard.item_ids] == list(holdout.values_list("pk", flat=True))

    # Reckoned once more, without shards and without what the service kept.
    images, _ = images_read(items=list(holdout), size=32)
    head = head_read(artifact_get(digest=version.card["weights"], suffix=".safetensors"))
    names = [one["name"] for one in version.card["classes"]]
    answers = head.logits(embedder_load(digest=made.digest).embed(images)).argmax(axis=1)
    right = sum(names[answer] == truth[item.pk] for answer, item in zip(answers, holdout, strict=True))
    assert abs(export.right_int8 - right) <= 1  # shards are of half precision
    assert export.labels == version.metrics["n"] == 120
    assert export.right == round(version.metrics["accuracy"] * 120)
    assert export.why.endswith(".")
    with pytest.raises(ProgrammingError, match="never change"), transaction.atomic():
        QuantisedExport.objects.update(used=True)


def test_the_next_versions_are_measured_and_nothing_is_quantised_again() -> None:
    project, truth = small_project(holdout_labels=60)
    quantised_plan()
    assert works_to_send(QuantisedBackbone) == []
    (first,) = ModelVersion.objects.filter(project=project)
    assert "60 of the 100 hold-out labels that can tell" in precisions_of(first).why
    label_items(project, truth, 45, Item.Split.HOLDOUT)
    assert run_train(run_id=due_run().pk)
    made = quantised(project)
    label_items(project, truth, 15, Item.Split.HOLDOUT)
    assert run_train(run_id=due_run().pk)
    quantised_plan()
    assert works_to_send(QuantisedBackbone) == []
    measured(made.pk)
    assert list(QuantisedExport.objects.values_list("labels", flat=True)) == [120, 105, 60]
    assert "60 hold-out labels nobody can tell" in QuantisedExport.objects.get(version=first).why


def test_a_killed_worker_s_work_is_done_by_the_next_to_the_same_bytes() -> None:
    project, _ = small_project()
    quantised_plan()
    (work,) = works_to_send(QuantisedBackbone)
    long_ago = timezone.now() - 2 * STALE
    QuantisedBackbone.objects.filter(pk=work).update(
        state=Work.State.RUNNING, attempt=1, heartbeat_at=long_ago, stage="calibrating on 120 pictures"
    )
    assert not quantised_do(quantised_id=work)  # it is the dead one's until it is stale
    works_take_over(QuantisedBackbone, afterwards="")
    assert works_to_send(QuantisedBackbone) == [work]
    assert quantised_do(quantised_id=work)
    first = QuantisedBackbone.objects.get(project=project)
    assert (first.state, first.attempt) == (Work.State.DONE, 2)
    QuantisedBackbone.objects.update(state=Work.State.QUEUED)
    assert quantised_do(quantised_id=work)
    assert QuantisedBackbone.objects.get().digest == first.digest


def test_a_full_disk_is_said_and_float32_goes_on_answering(settings: LazySettings) -> None:
    project, _ = small_project()
    good = champion_answers(project)
    quantised_plan()
    FullDisk.root = default_storage.path("")
    storages = settings.STORAGES
    full = {"BACKEND": f"{FullDisk.__module__}.FullDisk"}
    settings.STORAGES = {**storages, "default": full}
    for _ in range(3):
        QuantisedBackbone.objects.update(enqueued_at=None)
        (work,) = works_to_send(QuantisedBackbone)
        assert not quantised_do(quantised_id=work)
    failed = QuantisedBackbone.objects.get()
    assert failed.state == Work.State.FAILED
    assert failed.error.startswith("The int8 export failed: the disk is full")
    assert champion_answers(project) == good
    assert not QuantisedExport.objects.exists()

    settings.STORAGES = storages  # someone made room
    QuantisedBackbone.objects.update(finished_at=timezone.now() - timedelta(hours=2))
    assert quantised(project).state == Work.State.DONE


def test_raw_pixels_say_why_they_have_none() -> None:
    project, _ = small_project()
    Learner.objects.filter(project=project).update(backbone="pixels", requested_at=timezone.now())
    embed_all()
    assert run_train(run_id=due_run().pk)
    quantised_plan()
    (work,) = works_to_send(QuantisedBackbone)
    assert quantised_do(quantised_id=work)
    failed = QuantisedBackbone.objects.get(backbone="pixels")
    assert failed.state == Work.State.FAILED
    said = precisions_of(ModelVersion.objects.filter(project=project)[0])
    assert said.figures == ()
    assert said.why.startswith("float32 answers. The int8 export failed: This backbone has no convolutions")


def test_answers_of_the_int8_graph_do_not_depend_on_the_batch() -> None:
    project, _ = small_project()
    made = quantised(project)
    images, _ = images_read(items=list(Item.objects.filter(project=project)[:9]), size=32)
    embedder = embedder_load(digest=made.digest)
    alone = np.concatenate([embedder.embed(images[at : at + 1]) for at in range(9)])
    assert np.allclose(embedder.embed(images), alone, atol=1e-4)


def test_page_and_api_show_both() -> None:
    project, _ = small_project()
    version = ModelVersion.objects.get(project=project)
    client = Client()
    client.force_login(factories.member(project))

    def told() -> tuple[str, dict[str, Any]]:
        page = client.get(f"/projects/{project.slug}/models/{version.number}/").content.decode()
        found = client.get(f"/api/v1/projects/{project.slug}/models/{version.number}/precision").json()
        assert html.escape(found["why"]) in page
        return page, found

    assert "about to be made" in told()[1]["why"]
    quantised_plan()
    assert "is being made (waiting)" in told()[1]["why"]
    quantised_do(quantised_id=QuantisedBackbone.objects.get().pk)
    page, found = told()
    assert "about to be measured" in found["why"]
    assert [one["accuracy"] for one in found["figures"]] == [None, None]
    measured(QuantisedBackbone.objects.get().pk)
    page, found = told()
    export = QuantisedExport.objects.get()
    float32, int8 = found["figures"]
    assert (float32["precision"], int8["precision"]) == ("float32", "int8")
    assert float32["accuracy"] == version.metrics["accuracy"]
    assert (float32["low"], float32["high"]) == (
        version.metrics["accuracy_low"],
        version.metrics["accuracy_high"],
    )
    assert int8["accuracy"] == export.right_int8 / 120
    assert float32["used"] != int8["used"] == export.used
    assert found["why"] == export.why
    for one in (float32, int8):
        assert f"{100 * one['accuracy']:.1f}%<br>" in page
        assert f"{100 * one['low']:.1f}–{100 * one['high']:.1f}<" in page
        assert f"{one['ms']['1']:.2f}" in page
