"""Who may do a training run, and what happens when a message, a worker or a race gets in the way."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from labelling.models import Item, Project, Queue
from learning.models import EmbeddingShard, Learner, ModelVersion, Round, TrainingRun
from learning.services import training
from learning.services.embeddings import shard_embed
from learning.services.learners import learner_update, learners_ensure
from learning.services.ranking import Ranking, pool_rank
from learning.services.runs import (
    runs_create_due,
    runs_take_over,
    trainings_end,
)
from learning.services.shards import shard_claim, shards_plan, shards_to_send
from learning.services.training import run_train
from learning.services.work import WorkLost, work_claim, work_owned, works_to_send
from tests import factories
from tests.learning.digits import digits_project, due_run, embed_all, label_items, learner_of


def queued_run() -> TrainingRun:
    project = factories.project()
    learners_ensure()
    learner = Learner.objects.get(project=project)
    return TrainingRun.objects.create(project=project, learner=learner, seed=1, through_annotation=1)


def in_threads(count: int, work: Callable[[], object]) -> list[object]:
    together = threading.Barrier(count)
    results: list[object] = []

    def one() -> None:
        try:
            together.wait()
            results.append(work())
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == count
    return results


def grow_stale(run: TrainingRun) -> None:
    TrainingRun.objects.filter(pk=run.pk).update(heartbeat_at=timezone.now() - timedelta(seconds=11))


@pytest.mark.django_db
def test_a_run_whose_message_was_lost_is_sent_again_but_not_at_once() -> None:
    run = queued_run()

    assert works_to_send(TrainingRun) == [run.pk]
    assert works_to_send(TrainingRun) == []
    TrainingRun.objects.update(enqueued_at=timezone.now() - timedelta(seconds=6))
    assert works_to_send(TrainingRun) == [run.pk]


@pytest.mark.django_db
def test_a_stale_run_is_taken_over_and_its_old_owner_can_no_longer_report() -> None:
    run = queued_run()
    old = work_claim(TrainingRun, pk=run.pk, stage="")
    assert old is not None
    assert work_claim(TrainingRun, pk=run.pk, stage="") is None
    runs_take_over()
    assert works_to_send(TrainingRun) == []

    grow_stale(run)
    runs_take_over()

    assert works_to_send(TrainingRun) == [run.pk]
    new = work_claim(TrainingRun, pk=run.pk, stage="")
    assert new is not None
    assert (old.attempt, new.attempt) == (1, 2)
    work_owned(new, stage="training")
    with pytest.raises(WorkLost):
        work_owned(old, stage="training")


@pytest.mark.django_db
def test_after_three_dead_workers_the_run_fails_with_a_sentence() -> None:
    run = queued_run()
    for _ in range(3):
        assert work_claim(TrainingRun, pk=run.pk, stage="") is not None
        grow_stale(run)
        runs_take_over()

    run.refresh_from_db()
    assert run.state == TrainingRun.State.FAILED
    assert run.error.startswith("The worker died in each of 3 attempts")


@pytest.mark.django_db
def test_an_owner_that_was_taken_over_publishes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    project, truth = digits_project(60)
    embed_all()
    label_items(project, truth, 20)
    run = due_run()
    publish = training._publish

    def taken_over_first(*args: object) -> None:
        grow_stale(run)
        runs_take_over()
        assert work_claim(TrainingRun, pk=run.pk, stage="") is not None
        publish(*args)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(training, "_publish", taken_over_first)
    assert not run_train(run_id=run.pk)

    assert not ModelVersion.objects.filter(project=project).exists()
    assert not Round.objects.filter(project=project).exists()
    assert Queue.objects.get(project=project).generation == 0
    run.refresh_from_db()
    assert (run.state, run.attempt) == (TrainingRun.State.RUNNING, 2)
    monkeypatch.undo()
    grow_stale(run)
    runs_take_over()
    assert run_train(run_id=run.pk)
    assert ModelVersion.objects.filter(project=project).count() == 1


@pytest.mark.django_db
def test_a_failed_run_is_tried_again_with_newer_labels_only(monkeypatch: pytest.MonkeyPatch) -> None:
    project, truth = digits_project(60)
    embed_all()
    label_items(project, truth, 20)
    Learner.objects.update(requested_at=None)
    with monkeypatch.context() as broken:
        broken.setattr(training, "labelled_read", lambda _: 1 / 0)
        assert not run_train(run_id=due_run().pk)
    assert TrainingRun.objects.get(project=project).error == "Training stopped: division by zero"

    runs_create_due()
    assert works_to_send(TrainingRun) == []
    label_items(project, truth, 1)
    assert run_train(run_id=due_run().pk)


@pytest.mark.django_db
@pytest.mark.parametrize("way", ["end", "switch off"])
def test_a_training_that_a_manager_ends_publishes_nothing_and_waits_for_a_newer_label(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, truth = digits_project(60)
    embed_all()
    label_items(project, truth, 20)
    assert run_train(run_id=due_run().pk)
    before = Queue.objects.get(project=project).round_number

    def ended_meanwhile(**asked: Any) -> Ranking:
        if way == "end":
            assert trainings_end(project=project) == 1
        else:
            learner_update(learner=learner_of(project), enabled=False)
        return pool_rank(**asked)

    label_items(project, truth, 1)
    with monkeypatch.context() as patch:
        patch.setattr("learning.services.training.pool_rank", ended_meanwhile)
        run = due_run()
        assert not run_train(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, run.error) == ("failed", TrainingRun.ENDED)
    assert ModelVersion.objects.count() == 1
    assert Queue.objects.get(project=project).round_number == before
    runs_create_due()
    assert TrainingRun.objects.count() == 2  # not in a circle
    assert trainings_end(project=project) == 0

    if way == "switch off":
        label_items(project, truth, 1)
        runs_create_due()
        assert TrainingRun.objects.count() == 2
        learner_update(learner=learner_of(project), enabled=True)
    else:
        label_items(project, truth, 1)
    assert run_train(run_id=due_run().pk)
    assert ModelVersion.objects.count() == 2


@pytest.mark.django_db
def test_the_database_refuses_to_change_a_model_version() -> None:
    run = queued_run()
    version = ModelVersion.objects.create(
        project=run.project,
        number=1,
        run=run,
        learner=run.learner,
        digest="d",
        method="transfer",
        backbone="b",
        labels=2,
        holdout_labels=0,
        metrics={},
        card={},
    )
    with pytest.raises(DatabaseError, match="never change"):
        ModelVersion.objects.filter(pk=version.pk).update(labels=3)


@pytest.mark.django_db(transaction=True)
def test_four_ticks_at_once_make_and_send_one_of_everything() -> None:
    project, truth = digits_project(40)

    in_threads(4, learners_ensure)
    assert Learner.objects.filter(project=project).count() == 1
    in_threads(4, shards_plan)
    shard = EmbeddingShard.objects.get(project=project)
    assert shard.item_ids == sorted(truth)
    assert sorted(map(str, in_threads(4, shards_to_send))) == sorted([f"[{shard.pk}]", "[]", "[]", "[]"])
    claims = in_threads(4, lambda: shard_claim(shard_id=shard.pk))
    assert sum(claim is not None for claim in claims) == 1
    EmbeddingShard.objects.update(claimed_at=None)
    assert shard_embed(shard_id=shard.pk)

    label_items(project, truth, 20)
    in_threads(4, runs_create_due)
    run = TrainingRun.objects.get(project=project)
    sent = in_threads(4, lambda: works_to_send(TrainingRun))
    assert sorted(map(str, sent)) == sorted([f"[{run.pk}]", "[]", "[]", "[]"])
    assert sorted(map(str, in_threads(4, lambda: run_train(run_id=run.pk)))) == ["False"] * 3 + ["True"]
    assert learner_of(project).trained_through > 0


@pytest.mark.django_db
def test_a_part_of_a_shard_waits_until_no_more_items_come() -> None:
    project: Project = factories.project()
    learners_ensure()
    factories.item(project)
    shards_plan()
    assert not EmbeddingShard.objects.exists()

    Item.objects.update(created_at=timezone.now() - timedelta(seconds=3))
    shards_plan()
    assert EmbeddingShard.objects.get().number == 0
    factories.item(project)
    Item.objects.update(created_at=timezone.now() - timedelta(seconds=3))
    shards_plan()
    assert [len(shard.item_ids) for shard in EmbeddingShard.objects.all()] == [1, 1]


@pytest.mark.django_db
def test_an_image_that_no_longer_decodes_is_named_and_the_rest_embedded() -> None:
    project, truth = digits_project(20)
    broken = Item.objects.filter(project=project).order_by("id")[3]
    Item.objects.filter(pk=broken.pk).update(path="projects/gone.png")
    embed_all()

    shard = EmbeddingShard.objects.get(project=project)
    assert shard.failed_ids == [broken.pk]
    assert shard.item_ids == [pk for pk in sorted(truth) if pk != broken.pk]
