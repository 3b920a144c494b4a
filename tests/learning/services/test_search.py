"""A big pool is searched in parts, by whoever is free, and the choice is the same whoever that was."""

import io
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage, default_storage
from django.utils import timezone
from pytest_django.fixtures import Settings

from labelling.models import Item, Project, Queue, QueueEntry
from learning.models import Learner, Round, Search, SearchPart, TrainingRun
from learning.services import ranking, search
from learning.services.artifacts import ArtifactDamaged, artifact_put
from learning.services.learners import learner_update
from learning.services.local_files import artifact_file
from learning.services.pool_embeddings import embeddings_open
from learning.services.search import search_help
from learning.services.training import run_train
from learning.services.work import work_claim
from tests.learning.big_pool import big_project
from tests.learning.digits import due_run, label_items, learner_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _small_is_big(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "SMALL", 200)
    monkeypatch.setattr(ranking, "NARROW", 100)
    monkeypatch.setattr(search, "PART_ITEMS", 96)


@pytest.fixture
def project() -> Project:
    made, truth = big_project("big", 600, 16, shard=128)
    label_items(made, truth, 30)
    label_items(made, truth, 10, Item.Split.HOLDOUT)
    Learner.objects.update(queue_length=100)
    return made


def ranked(project: Project) -> list[int]:
    queue = Queue.objects.get(project=project)
    entries = QueueEntry.objects.filter(project=project, generation=queue.generation).order_by("rank")
    return list(entries.values_list("item_id", flat=True))


def again(run: TrainingRun) -> None:
    """As if this run had not been done."""
    Round.objects.filter(run=run).delete()
    TrainingRun.objects.filter(pk=run.pk).update(state="queued", attempt=0)


def test_a_run_alone_finds_what_a_run_with_help_finds(project: Project) -> None:
    run = due_run()
    assert run_train(run_id=run.pk)
    alone = ranked(project)
    made = Round.objects.get(project=project)
    assert len(alone) == 100
    assert made.candidates == Item.objects.filter(project=project, split="pool", open=True).count()
    assert not Search.objects.exists()

    def one_part(search_id: int) -> None:
        part = search._claimed(search_id)
        assert part is not None
        search._search(part)

    def dies_in_the_middle(search_id: int) -> None:
        assert search._claimed(search_id) is not None

    def does_it_all(search_id: int) -> None:
        search_help(search_id=search_id)
        assert not SearchPart.objects.filter(found=None).exists()

    for helper in (one_part, dies_in_the_middle, does_it_all):
        again(run)
        assert run_train(run_id=run.pk, ask_for_help=helper)
        assert ranked(project) == alone


def test_another_attempt_goes_on_with_what_was_found(project: Project) -> None:
    run = due_run()
    seen: list[int] = []

    def killed(search_id: int) -> None:
        search_help(search_id=search_id)
        seen.append(search_id)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_train(run_id=run.pk, ask_for_help=killed)
    assert not SearchPart.objects.filter(found=None).exists()
    TrainingRun.objects.filter(pk=run.pk).update(state="queued")

    assert run_train(run_id=run.pk, ask_for_help=seen.append)
    assert seen[0] == seen[1]


def test_other_labels_make_another_search(project: Project) -> None:
    run = due_run()
    seen: list[int] = []

    def killed(search_id: int) -> None:
        seen.append(search_id)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_train(run_id=run.pk, ask_for_help=killed)
    TrainingRun.objects.filter(pk=run.pk).update(state="queued")
    names = dict(Item.objects.filter(project=project).values_list("id", "name"))
    label_items(project, dict.fromkeys(names, "3"), 1)

    assert run_train(run_id=run.pk, ask_for_help=seen.append)
    assert seen[0] != seen[1]


def test_who_lost_the_run_publishes_nothing(project: Project) -> None:
    run = due_run()
    before = ranked(project)

    def taken_over(search_id: int) -> None:
        TrainingRun.objects.filter(pk=run.pk).update(state="queued", heartbeat_at=timezone.now())
        assert work_claim(TrainingRun, pk=run.pk, stage="taken over")

    assert not run_train(run_id=run.pk, ask_for_help=taken_over)
    assert ranked(project) == before


@pytest.mark.parametrize("strategy", ["auto", "typiclust", "batchbald", "badge", "random"])
def test_every_kind_of_strategy_ranks_a_big_pool(project: Project, strategy: str) -> None:
    learner_update(learner=learner_of(project), strategy=strategy)
    assert run_train(run_id=due_run().pk)
    made = Round.objects.get(project=project)
    assert (made.strategy, made.ranked) == (strategy, 100)
    open_pool = Item.objects.filter(project=project, split=Item.Split.POOL, open=True)
    assert set(ranked(project)) <= set(open_pool.values_list("id", flat=True))


def test_margin_ranks_a_big_pool_as_it_ranks_the_same_in_one_piece(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner_update(learner=learner_of(project), strategy="margin")
    run = due_run()
    assert run_train(run_id=run.pk)
    in_parts = ranked(project)
    again(run)
    monkeypatch.setattr(ranking, "SMALL", 10_000)
    assert run_train(run_id=run.pk)
    assert ranked(project) == in_parts


def test_a_big_pool_is_ranked_before_there_is_a_model() -> None:
    project, _ = big_project("new", 600, 16, shard=128)
    Learner.objects.update(queue_length=100)
    assert run_train(run_id=due_run().pk)
    assert "Max herding" in Round.objects.get(project=project).reason
    assert len(ranked(project)) == 100


def test_embeddings_are_read_by_row(project: Project) -> None:
    embeddings = embeddings_open(project=project, backbone=learner_of(project).backbone)
    every = np.concatenate([np.load(artifact_file(digest=d, suffix=".npy")) for d in embeddings.digests])
    rows = np.array([599, 0, 128, 127, 300, 0])
    assert embeddings.take(rows).tolist() == every[rows].astype(np.float32).tolist()
    assert embeddings.take(rows[:0]).shape == (0, 16)


class Remote(Storage):
    """A storage without files of this machine."""

    kept: ClassVar[dict[str, bytes]] = {}

    def _open(self, name: str, mode: str) -> "File[bytes]":
        return ContentFile(self.kept[name])

    def _save(self, name: str, content: "File[bytes]") -> str:
        self.kept[name] = content.read()
        return name

    def exists(self, name: str) -> bool:
        return name in self.kept

    def size(self, name: str) -> int:
        if name not in self.kept:
            raise FileNotFoundError(name)
        return len(self.kept[name])


@pytest.fixture
def remote(settings: Settings, tmp_path: Path) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "tests.learning.services.test_search.Remote"},
    }
    settings.CACHE_DIR = tmp_path / "cache"
    settings.CACHE_BYTES = 3000


def test_of_a_remote_storage_copies_are_kept_as_long_as_there_is_room(remote: None, tmp_path: Path) -> None:
    arrays = [np.full((100, 4), number, np.float16) for number in range(5)]
    digests = []
    for array in arrays:
        out = io.BytesIO()
        np.save(out, array)
        digests.append(artifact_put(data=out.getvalue(), suffix=".npy"))
    for digest, array in zip(digests, arrays, strict=True):
        for _ in range(2):
            path = artifact_file(digest=digest, suffix=".npy")
            assert np.load(path, mmap_mode="r").tolist() == array.tolist()
    left = {path.stem for path in (tmp_path / "cache").iterdir()}
    assert left == set(digests[-3:])


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    digest = artifact_put(data=b"embeddings", suffix=".npy")
    path = default_storage.path(f"artifacts/{digest[:2]}/{digest}.npy")
    with open(path, "wb") as file:
        file.write(b"embeddinks")
    with pytest.raises(ArtifactDamaged, match="is damaged"):
        artifact_file(digest=digest, suffix=".npy")
