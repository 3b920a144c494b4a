"""A project's own backbone: asked for, learned by a worker, taken over after a kill, used if it is better."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.utils import timezone

from labelling.models import Item
from learning.models import EmbeddingShard, ModelVersion, PretrainingRun, Work
from learning.services import pretraining
from learning.services.pretraining import pretraining_do, pretraining_end, pretraining_request
from learning.services.runs import runs_create_due
from learning.services.training import run_train
from learning.services.work import WorkLost, work_owned, works_take_over, works_to_send
from tests import factories
from tests.learning.digits import digits_project, due_run, embed_all, label_items, learner_of

pytestmark = pytest.mark.django_db
QUICK = {"epochs": 4, "batch": 32}


def test_a_better_backbone_is_used_once_all_items_are_embedded_by_it() -> None:
    project, truth = digits_project(200)
    embed_all()
    label_items(project, truth, 60)
    label_items(project, truth, 20, Item.Split.HOLDOUT)
    assert run_train(run_id=due_run().pk)
    learner = learner_of(project)
    run = pretraining_request(project=project, method="vicreg")
    PretrainingRun.objects.filter(pk=run.pk).update(config=QUICK)
    with pytest.raises(ValidationError, match="under way"):
        pretraining_request(project=project, method="simclr")
    assert pretraining_do(run_id=run.pk)

    run.refresh_from_db()
    assert (run.state, run.progress, run.images) == ("done", 1.0, 150)
    assert run.backbone.startswith("vicreg-")
    assert "held-back labels answered rightly, efficientnet-lite0" in run.note
    learner.refresh_from_db()
    assert (learner.backbone == run.backbone) == ("it is used from now on" in run.note)
    assert not default_storage.exists(f"pretraining/{run.pk}.safetensors")

    learner.backbone = run.backbone
    learner.requested_at = timezone.now()
    learner.save()
    runs_create_due()  # nothing is embedded by it yet: the model in force stays
    assert not learner.runs.filter(state="queued").exists()
    embed_all()
    assert run_train(run_id=due_run().pk)
    version = ModelVersion.objects.filter(project=project).first()
    assert version is not None
    assert (version.number, version.backbone, version.card["backbone"]["features"]) == (2, run.backbone, 384)
    assert EmbeddingShard.objects.filter(project=project, backbone=run.backbone).count() == 1


def test_a_worker_that_died_is_followed_by_one_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    project, _ = digits_project(60)
    embed_all()
    run = pretraining_request(project=project, method="masked")
    PretrainingRun.objects.filter(pk=run.pk).update(config=QUICK)

    def dies(work: Work, **changes: object) -> None:
        work_owned(work, **changes)
        if changes.get("progress") == 0.5:
            raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(pretraining, "work_owned", dies)
        with pytest.raises(SystemExit):
            pretraining_do(run_id=run.pk)
    PretrainingRun.objects.update(heartbeat_at=timezone.now() - timedelta(seconds=11))
    works_take_over(PretrainingRun, afterwards="")
    assert works_to_send(PretrainingRun) == [run.pk]

    said: list[object] = []

    def listens(work: Work, **changes: object) -> None:
        said.append(changes.get("progress"))
        work_owned(work, **changes)

    monkeypatch.setattr(pretraining, "work_owned", listens)
    assert pretraining_do(run_id=run.pk)
    assert [share for share in said if share is not None] == [0.75, 1.0, 1.0]
    run.refresh_from_db()
    assert (run.state, run.attempt, run.note) == (
        "done",
        2,
        "No class has two labels yet to compare it by: it is kept, and not used so far.",
    )


def test_a_manager_ends_it_and_a_bad_request_gets_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    project, _ = digits_project(60)
    embed_all()
    run = pretraining_request(project=project, method="simclr")

    def ended_meanwhile(work: Work, **changes: object) -> None:
        pretraining_end(run=run)
        work_owned(work, **changes)

    monkeypatch.setattr(pretraining, "work_owned", ended_meanwhile)
    assert not pretraining_do(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, run.error) == ("failed", "It was ended by a manager.")
    with pytest.raises(WorkLost):
        work_owned(run)
    with pytest.raises(ValidationError, match="no pretraining 'guess'"):
        pretraining_request(project=project, method="guess")
    with pytest.raises(ValidationError, match="at least two images"):
        pretraining_request(project=factories.project(), method="vicreg")
