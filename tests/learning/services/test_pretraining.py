"""A project's own backbone: asked for, learned by a worker, taken over after a kill, used if it is better."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.utils import timezone

from labelling.models import Item
from learning.core.export import head_read
from learning.core.networks import pretrain as training_loop
from learning.models import EmbeddingShard, Learner, ModelVersion, PretrainingRun, Work
from learning.selectors import backbones_of
from learning.services import features
from learning.services.artifacts import artifact_get
from learning.services.backbones import backbone_artifact
from learning.services.comparison import comparison_seconds
from learning.services.pretraining import pretraining_do, pretraining_end, pretraining_request
from learning.services.runs import runs_create_due
from learning.services.time_budget import EXPORT_SECONDS, TimeBudget
from learning.services.training import run_train
from learning.services.work import WorkLost, work_owned, works_take_over, works_to_send
from learning.views.batch_plot import batch_plots
from tests import factories
from tests.learning.digits import digits_project, due_run, embed_all, label_items, learner_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice what digits have, and a quarter of the product's work."""
    monkeypatch.setattr(training_loop, "SIZE", 16)


QUICK = {"settings": {"epochs": 4, "batch": 32}}


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
    own, pair = run.config["made"]["vicreg"], run.config["pairs"]["vicreg"]
    assert own.startswith("vicreg-")
    assert pair.startswith("efficientnet-lite0+vicreg-")
    assert run.backbone in (own, pair)
    assert f"{pair} " in run.note
    assert "held-back images a probability of " in run.note
    learner.refresh_from_db()
    assert (learner.backbone == run.backbone) == ("it is used from now on" in run.note)
    assert not default_storage.exists(f"pretraining/{run.pk}-vicreg.safetensors")

    learner.backbone = pair
    learner.requested_at = timezone.now()
    learner.save()
    runs_create_due()  # nothing is embedded by it yet: the model in force stays
    assert not learner.runs.filter(state="queued").exists()
    embed_all()
    assert run_train(run_id=due_run().pk)
    version = ModelVersion.objects.filter(project=project).first()
    assert version is not None
    assert (version.number, version.backbone, version.card["backbone"]["features"]) == (2, pair, 2112)
    assert EmbeddingShard.objects.filter(project=project, backbone=pair).count() == 1
    head = head_read(artifact_get(digest=version.card["weights"], suffix=".safetensors"))
    assert head.parts == (1728, 384)


@pytest.mark.parametrize("method", ["fine-tuning", "softmatch", "meta-learning"])
def test_features_are_trained_on_labels_and_the_hold_out_judges_them(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_loop, "EPOCH_STEPS", 2)
    project, truth = digits_project(80)
    with pytest.raises(ValidationError, match=r"needs (labels of two classes|a project)"):
        pretraining_request(project=project, method=method)
    embed_all()
    label_items(project, truth, 30)
    first = pretraining_request(project=project, method="vicreg")
    PretrainingRun.objects.filter(pk=first.pk).update(config={"settings": {"epochs": 1, "batch": 32}})
    assert pretraining_do(run_id=first.pk)
    first.refresh_from_db()
    learner = learner_of(project)
    begun = first.config["made"]["vicreg"]
    # From a pair it goes on with the part that was learned here.
    Learner.objects.filter(pk=learner.pk).update(backbone=first.config["pairs"]["vicreg"])

    for holdout, words in (
        (0, "so the hold-out alone can judge"),
        (20, "of 20 held-back images a probability of"),
    ):
        label_items(project, truth, holdout, Item.Split.HOLDOUT)
        run = pretraining_request(project=project, method=method, minutes=0.1)
        PretrainingRun.objects.filter(pk=run.pk).update(config={"settings": {"epochs": 1, "batch": 16}})
        assert pretraining_do(run_id=run.pk)
        run.refresh_from_db()
        assert (run.state, words in run.note) == ("done", True), run.note
        made = backbone_artifact(name=run.config["made"][method])
        pair = backbone_artifact(name=run.config["pairs"][method])
        assert (made.origin, made.network, made.features) == (begun, "small-cnn", 384)
        assert (pair.origin, pair.learns_by, pair.features) == (begun, made.name, 1728 + 384)
        # The next one begins where this one began, not where it ended.
        Learner.objects.filter(pk=learner.pk).update(backbone=pair.name if holdout else made.name)


def test_by_itself_it_learns_compares_and_goes_on_with_the_best() -> None:
    project, truth = digits_project(120)
    embed_all()
    label_items(project, truth, 40)
    label_items(project, truth, 20, Item.Split.HOLDOUT)
    run = pretraining_request(project=project, method="by-itself")
    PretrainingRun.objects.filter(pk=run.pk).update(config={"settings": {"epochs": 1, "batch": 32}})
    assert pretraining_do(run_id=run.pk)
    run.refresh_from_db()
    assert run.state == "done", run.error
    assert list(run.config["made"]) == ["pca", "vicreg", "softmatch"]
    assert list(run.config["pairs"]) == ["vicreg", "softmatch"]
    for name in ("efficientnet-lite0", "pixels", *run.config["made"].values(), run.config["pairs"]["vicreg"]):
        assert name in run.note
    assert "of 40 held-back images" in run.note
    assert "of 20 held-back images" in run.note
    offered = backbones_of(project)
    assert {*run.config["made"].values(), *run.config["pairs"].values()} < set(offered)
    assert learner_of(project).backbone in offered
    grown = backbone_artifact(name=run.config["made"]["softmatch"])
    assert grown.origin == run.config["made"]["vicreg"]
    # The rate goes with the batch that was chosen: 1e-3 at 128.
    settings = {"epochs": 1, "batch": 32, "rate": 5e-4}
    assert grown.card == {
        "way": "softmatch",
        "augmentation": "views",
        "settings": settings,
        "seed": run.seed,
        "pictures": 90,
        "labels": 40,
    }


def test_minutes_are_for_comparing_and_exporting_too(monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic() - 10
    budget = TimeBudget(100.0, 4.0, began)
    left = 100 - 10 - 5 * 4 - 2 * EXPORT_SECONDS
    assert budget.for_training(ways=2, compared=5) == pytest.approx(left / 2, abs=1)
    assert TimeBudget(5.0, 4.0, began).for_training(ways=1, compared=2) == 0

    project, truth = digits_project(60)
    embed_all()
    assert comparison_seconds(project=project) == 0
    label_items(project, truth, 20)
    assert comparison_seconds(project=project) > 0
    # Where comparing takes all of the time, nothing but one epoch is trained.
    monkeypatch.setattr("learning.services.comparison.FOLDS", 5_000)
    run = pretraining_request(project=project, method="vicreg", minutes=0.2, batch=16)
    monkeypatch.setattr("learning.services.comparison.folds", lambda *given: [])
    assert pretraining_do(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, run.config["epochs"]) == ("done", {"vicreg": 1})


def test_minutes_become_epochs_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    project, _ = digits_project(60)
    embed_all()
    with pytest.raises(ValidationError, match="A batch of 1 cannot be: give 2 to 4,096 images"):
        pretraining_request(project=project, method="vicreg", batch=1)
    with pytest.raises(ValidationError, match="cannot take 0 minutes"):
        pretraining_request(project=project, method="vicreg", minutes=0)
    monkeypatch.setattr("learning.services.features.MEASURING", 100.0)
    run = pretraining_request(project=project, method="vicreg", minutes=0.1)
    assert pretraining_do(run_id=run.pk)
    run.refresh_from_db()
    assert run.config["minutes"] == 0.1
    assert run.config["epochs"]["vicreg"] >= 1
    # The batch is measured on the machine, shown, and part of the plan from then on.
    measured = run.config["batches"]["vicreg"]
    settings = backbone_artifact(name=run.backbone).card["settings"]
    assert isinstance(settings, dict)
    assert settings["batch"] == measured["batch"] == 45
    assert measured["reason"].startswith("Batches of 45: ")
    (plot,) = batch_plots(run)
    assert [point["batch"] for point in plot["points"]] == [8, 16, 32][: len(plot["points"])]
    assert "1.0 x" in [point["time"] for point in plot["points"]]  # the shortest training, by speed and noise
    assert f"of {run.config['epochs']}" in run.stage or run.state == "done"

    # Measuring takes no more than its part of the minutes.
    monkeypatch.setattr("learning.services.features.MEASURING", 1e-6)
    run = pretraining_request(project=project, method="vicreg", minutes=0.1)
    PretrainingRun.objects.filter(pk=run.pk).update(config={**run.config, "minutes": 0.02})
    assert pretraining_do(run_id=run.pk)
    run.refresh_from_db()
    (plot,) = batch_plots(run)
    assert set(plot) == {"title", "reason"}
    assert plot["reason"].startswith("Batches of 45: the usual, as far as they fit, for measuring would take")


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
        patched.setattr(features, "work_owned", dies)
        with pytest.raises(SystemExit):
            pretraining_do(run_id=run.pk)
    PretrainingRun.objects.update(heartbeat_at=timezone.now() - timedelta(seconds=11))
    works_take_over(PretrainingRun, afterwards="")
    assert works_to_send(PretrainingRun) == [run.pk]

    said: list[object] = []

    def listens(work: Work, **changes: object) -> None:
        said.append(changes.get("progress"))
        work_owned(work, **changes)

    monkeypatch.setattr(features, "work_owned", listens)
    assert pretraining_do(run_id=run.pk)
    assert [share for share in said if share is not None] == [0.75, 1.0]
    run.refresh_from_db()
    assert (run.state, run.attempt, run.note) == (
        "done",
        2,
        "No class has two labels yet to compare features by: it is kept, and not used so far.",
    )


def test_a_manager_ends_it_and_a_bad_request_gets_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    project, _ = digits_project(60)
    embed_all()
    run = pretraining_request(project=project, method="simclr")

    def ended_meanwhile(work: Work, **changes: object) -> None:
        pretraining_end(run=run)
        work_owned(work, **changes)

    monkeypatch.setattr(features, "work_owned", ended_meanwhile)
    assert not pretraining_do(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, run.error) == ("failed", "It was ended by a manager.")
    with pytest.raises(WorkLost):
        work_owned(run)
    with pytest.raises(ValidationError, match="no pretraining 'guess'"):
        pretraining_request(project=project, method="guess")
    with pytest.raises(ValidationError, match="at least two images"):
        pretraining_request(project=factories.project(), method="vicreg")


def test_by_itself_one_way_that_comes_to_nothing_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    project, _ = digits_project(60)
    embed_all()
    learned = features.features_learn

    def without_vicreg(**given: Any) -> object:
        if given["way"].name == "vicreg":
            raise ValueError("Not even the smallest batch fits.")
        return learned(**given)

    monkeypatch.setattr("learning.services.pretraining.features_learn", without_vicreg)
    run = pretraining_request(project=project, method="by-itself")
    assert pretraining_do(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, list(run.config["made"])) == ("done", ["pca"])
    assert "VICReg came to nothing: Not even the smallest batch fits. " in run.note
    for method in ("pca", "meta-learning"):
        with pytest.raises(ValidationError, match="has no batch to choose: leave it out"):
            pretraining_request(project=project, method=method, batch=16)
