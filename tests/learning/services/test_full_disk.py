"""A full disk: a clear sentence on the project's page, and the last good model answering."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.base import File
from django.core.files.storage import Storage, default_storage
from django.utils import timezone

from labelling.models import Item
from learning.models import EmbeddingShard, TrainingRun
from learning.services.embeddings import shard_embed
from learning.services.learners import learners_ensure
from learning.services.shards import shards_plan, shards_to_send
from learning.services.training import run_train
from learning.services.work import works_to_send
from tests import factories
from tests.learning.digits import due_run, label_items
from tests.learning.trained_project import champion_answers, panel, trained

pytestmark = pytest.mark.django_db


class FullDisk(Storage):
    """Reads what is there; the kernel refuses every write for want of space."""

    root = ""

    def _open(self, name: str, mode: str = "rb") -> "File[Any]":
        return File(Path(self.path_of(name)).open(mode))

    def _save(self, name: str, content: "File[Any]") -> str:
        with open("/dev/full", "wb", buffering=0) as full:
            full.write(content.read())
        return name

    def path_of(self, name: str) -> str:
        return str(Path(self.root) / name)

    def exists(self, name: str) -> bool:
        return Path(self.path_of(name)).exists()

    def size(self, name: str) -> int:
        return Path(self.path_of(name)).stat().st_size


def test_a_full_disk(settings: LazySettings) -> None:
    project, truth = trained()
    good = champion_answers(project)
    label_items(project, truth, 5)
    run = due_run()
    FullDisk.root = default_storage.path("")
    storages = settings.STORAGES
    settings.STORAGES = {**storages, "default": {"BACKEND": f"{__name__}.FullDisk"}}
    for attempt in (1, 2, 3):
        assert not run_train(run_id=run.pk)
        run.refresh_from_db()
        if attempt < 3:
            assert run.state == TrainingRun.State.QUEUED
            assert "waiting to be tried again: the disk is full" in panel(project)
            TrainingRun.objects.filter(pk=run.pk).update(enqueued_at=timezone.now() - timedelta(minutes=1))
            assert works_to_send(TrainingRun) == [run.pk]
    assert run.state == TrainingRun.State.FAILED
    said = panel(project)
    assert "Training stopped: the disk is full: free some space" in said
    assert "Version 1 keeps working meanwhile." in said
    assert champion_answers(project) == good

    settings.STORAGES = storages  # someone made room
    label_items(project, truth, 1)
    assert run_train(run_id=due_run().pk)
    assert champion_answers(project).labels == 26


def test_a_full_disk_while_images_are_embedded(settings: LazySettings) -> None:
    project = factories.project()
    factories.item(project)
    Item.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    learners_ensure()
    shards_plan()
    (shard_id,) = shards_to_send()
    FullDisk.root = default_storage.path("")
    storages = settings.STORAGES
    settings.STORAGES = {**storages, "default": {"BACKEND": f"{__name__}.FullDisk"}}
    with pytest.raises(OSError, match="No space left"):
        shard_embed(shard_id=shard_id)
    assert "Embedding failed: the disk is full: free some space" in panel(project)
    settings.STORAGES = storages
    EmbeddingShard.objects.update(enqueued_at=timezone.now() - timedelta(minutes=1))
    assert shards_to_send() == [shard_id]
    assert shard_embed(shard_id=shard_id)
