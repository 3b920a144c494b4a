"""The learning side's pages and fragments, by role and by state."""

import json
import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from labelling.models import Consensus, Item, Membership, Project, User
from labelling.services.workers import worker_beat
from learning.models import EmbeddingShard, ModelVersion, PretrainingRun, TrainingRun
from learning.selectors import worker_words
from learning.services.learners import learner_update, learners_ensure
from learning.services.shards import shards_plan
from learning.services.training import run_train
from learning.services.work import work_claim, work_fail, work_owned
from tests import factories
from tests.learning.digits import digits_project, due_run, embed_all, label_items, learner_of

pytestmark = pytest.mark.django_db


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def panel(project: Project) -> str:
    client = signed_in(factories.member(project))
    answer = client.get(f"/projects/{project.slug}/learning/panel/")
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def trained() -> Project:
    project, truth = digits_project(60)
    embed_all()
    label_items(project, truth, 30)
    label_items(project, truth, 12, Item.Split.HOLDOUT)
    assert run_train(run_id=due_run().pk)
    return project


def test_the_panel_says_what_learning_waits_for() -> None:
    project = factories.project()
    assert "The learner is about to be set up." in panel(project)
    learners_ensure()
    assert "Waiting for images: import some." in panel(project)

    project, _ = digits_project(40)
    learners_ensure()
    assert "New images are about to be embedded." in panel(project)
    shards_plan()
    EmbeddingShard.objects.filter(project=project).update(progress=12)
    assert "Embedding 12 of 40 images." in panel(project)
    assert '<progress value="12" max="40"' in panel(project)
    EmbeddingShard.objects.filter(project=project).update(progress=40, path="there")
    assert "Waiting for labels of two classes; then the first model is trained." in panel(project)
    assert "There is no model yet" in panel(project)

    learner_update(learner=learner_of(project), enabled=False)
    assert "Learning is switched off" in panel(project)


def test_the_panel_says_what_a_training_does_and_why_it_failed() -> None:
    project, truth = digits_project(60)
    embed_all()
    label_items(project, truth, 20)
    assert "New labels have come; training is about to start." in panel(project)
    run = due_run()
    assert re.search(r"A training has been waiting for a worker for \d s\.", panel(project))
    claimed = work_claim(TrainingRun, pk=run.pk, stage="")
    assert claimed is not None
    TrainingRun.objects.filter(pk=run.pk).update(stage="training on 20 labels")
    assert re.search(r"Training on 20 labels, for \d s now\.", panel(project))
    work_fail(claimed, error="The disk is full.")
    assert "The disk is full." in panel(project)


def test_the_panel_shows_accuracy_with_its_interval_and_what_the_queue_asks(trained: Project) -> None:
    shown = panel(trained)

    version = ModelVersion.objects.get(project=trained)
    assert f'class="accuracy" data-accuracy="{version.metrics["accuracy"]}"' in shown
    assert "measured blind on 12 hold-out labels" in shown
    assert "Version 1" in shown
    assert "Automatic" in shown
    assert "round 1" in shown
    assert "Up to date: the model knows all labels." in shown


def test_a_silent_worker_is_told_in_words() -> None:
    project = factories.project()
    cache.clear()
    assert "No learning worker has been heard from yet." in panel(project)
    worker_beat(name="learning")
    assert "No embedding worker has been heard from yet." in panel(project)
    worker_beat(name="embedding")
    assert "worker" not in panel(project)
    assert worker_words({"learning": 34.2, "embedding": 1.0}) == (
        "The learning worker has not been heard from for 34 s. Labels are safe; training goes on when it is "
        "back (manage.py up restarts it)."
    )


def test_the_panel_costs_few_queries(trained: Project, django_assert_max_num_queries: object) -> None:
    client = signed_in(factories.member(trained))
    with django_assert_max_num_queries(17):  # type: ignore[operator]  # pytest-django's fixture is untyped
        client.get(f"/projects/{trained.slug}/learning/panel/")


def test_the_curve_gives_only_what_is_new(trained: Project) -> None:
    client = signed_in(factories.member(trained))
    address = f"/projects/{trained.slug}/learning/curve.json"

    answer = client.get(address).json()
    (point,) = answer["points"]
    assert (answer["target"], answer["forecast"]) == (learner_of(trained).target, [])

    assert (point["number"], point["labels"], point["holdout_labels"]) == (1, 30, 12)
    assert point["low"] < point["accuracy"] <= point["high"]
    assert client.get(address, {"after": 1}).json()["points"] == []
    assert client.get(address, {"after": "x"}).status_code == 400


def test_strangers_see_nothing_and_only_managers_change_the_learner(trained: Project) -> None:
    stranger = signed_in(factories.user())
    annotator = signed_in(factories.member(trained))
    base = f"/projects/{trained.slug}"
    for page in (
        "learning/panel/",
        "learning/curve.json",
        "learner/",
        "models/",
        "models/1/",
        "models/1/card",
    ):
        assert stranger.get(f"{base}/{page}").status_code == 404
        assert Client().get(f"{base}/{page}").status_code == 302
    assert annotator.get(f"{base}/learner/").status_code == 403
    assert annotator.post(f"{base}/learner/", {"strategy": "random"}).status_code == 403
    assert annotator.get(f"{base}/models/1/").status_code == 200
    assert annotator.get(f"{base}/models/1/card").status_code == 403
    assert learner_of(trained).strategy == "auto"


def test_a_manager_changes_the_recipe_and_a_new_ranking_follows(trained: Project) -> None:
    manager = signed_in(factories.member(trained, Membership.Role.MANAGER))
    address = f"/projects/{trained.slug}/learner/"
    assert "Automatic" in manager.get(address).content.decode()
    recipe = {
        "enabled": "on",
        "strategy": "entropy",
        "method": "transfer",
        "backbone": "efficientnet-lite0",
        "augmentation": "views",
        "retrain_after": "5",
        "target": "97",
        "training_seconds": "20",
        "training_megabytes": "150",
    }

    answer = manager.post(address, recipe)

    assert answer.status_code == 302
    learner = learner_of(trained)
    assert (learner.strategy, learner.retrain_after, learner.enabled) == ("entropy", 5, True)
    assert (learner.target, learner.training_seconds, learner.training_megabytes) == (0.97, 20, 150)
    assert due_run().learner == learner
    wrong = {"strategy": "guess", "retrain_after": "0", "training_seconds": "nan", "training_megabytes": "9"}
    refused = manager.post(address, {**recipe, **wrong})
    assert refused.status_code == 422
    words = refused.content.decode()
    assert "There is no strategy &#x27;guess&#x27;; choose one of the list." in words
    assert "Train again after at least 1 new label." in words
    assert "Write the time as a whole number of seconds, such as 300." in words
    assert "Give a training at least 20 MB." in words


def test_a_reviewer_reads_a_version_and_downloads_its_artifacts(trained: Project) -> None:
    reviewer = signed_in(factories.member(trained, Membership.Role.REVIEWER))
    version = ModelVersion.objects.get(project=trained)
    base = f"/projects/{trained.slug}/models/"
    assert version.digest[:12] in reviewer.get(base).content.decode()
    page = reviewer.get(f"{base}1/").content.decode()
    assert version.digest in page
    assert "Calibration" in page
    bins = json.loads(re.findall(r'<script id="reliability-bins"[^>]*>(.*?)</script>', page)[0])
    assert sum(one["n"] for one in bins) == version.holdout_labels
    assert all(one["low"] <= one["accuracy"] <= one["high"] and one["words"] in page for one in bins)

    card = reviewer.get(f"{base}1/card")

    assert card.json() == version.card
    assert card["Content-Disposition"] == f'attachment; filename="{trained.slug}-1.json"'
    assert reviewer.get(f"{base}1/onnx").status_code == 200
    assert reviewer.get(f"{base}1/safetensors").status_code == 200
    assert reviewer.get(f"{base}1/pickle").status_code == 404
    assert reviewer.get(f"{base}7/").status_code == 404


def test_a_manager_is_offered_to_end_a_training_that_takes_long() -> None:
    project, truth = digits_project(40)
    embed_all()
    label_items(project, truth, 20)
    run = due_run()
    manager = signed_in(factories.member(project, Membership.Role.MANAGER))
    address = f"/projects/{project.slug}/learning/panel/"
    offer = "End this training"
    assert offer not in manager.get(address).content.decode()
    TrainingRun.objects.update(created_at=timezone.now() - timedelta(seconds=9))
    assert offer in manager.get(address).content.decode()
    assert offer not in panel(project)  # of an annotator

    ended = manager.post(address).content.decode()
    assert TrainingRun.ENDED in ended
    assert "The next training starts with the next label." in ended
    assert offer not in ended
    assert not run_train(run_id=run.pk)


def test_a_manager_pretrains_and_sees_how_far_it_is_and_what_came_out() -> None:
    project, _ = digits_project(40)
    manager = signed_in(factories.member(project, Membership.Role.MANAGER))
    learners_ensure()
    address = f"/projects/{project.slug}/learner/pretraining/"
    refused = manager.post(address, {"method": "guess"})
    assert refused.status_code == 422
    assert "There is no pretraining &#x27;guess&#x27;" in refused.content.decode()
    form = {"method": "vicreg", "minutes": "1e9", "batch": "12"}
    kept = manager.post(address, form).content.decode()
    for typed in ('value="vicreg" checked', 'value="1e9"', 'value="12"'):
        assert typed in kept
    assert "VICReg: waiting for a worker." in manager.post(address, {"method": "vicreg"}).content.decode()
    again = manager.post(address, {"method": "simclr"}).content.decode()
    assert "A pretraining of this project is under way" in again
    run = work_claim(PretrainingRun, pk=PretrainingRun.objects.get().pk, stage="")
    assert run is not None
    work_owned(run, progress=0.25, stage="VICReg: epoch 1 of 4, loss 1.000")
    part = manager.get(address).content.decode()
    assert ">VICReg: epoch 1 of 4" in part
    assert 'value="0.25"' in part
    assert "It was ended by a manager." in manager.post(address, {"action": "end"}).content.decode()

    done = {"state": "done", "backbone": "vicreg-1", "images": 30, "note": "It is used."}
    PretrainingRun.objects.update(error="", **done)
    # Nothing is announced in green that is not in use.
    assert '<p class="notice">VICReg: It is used.' in manager.get(address).content.decode()
    page = manager.get(f"/projects/{project.slug}/learner/").content.decode()
    assert "VICReg, learned here (vicreg-1)" in page
    learner = learner_update(learner=learner_of(project), backbone="vicreg-1")
    assert learner.backbone == "vicreg-1"
    assert '<p class="notice notice-good">VICReg: It is used.' in manager.get(address).content.decode()
    with pytest.raises(ValidationError, match="no backbone 'vicreg-2'"):
        learner_update(learner=learner, backbone="vicreg-2")


def test_a_cell_of_the_confusion_opens_exactly_its_images_but_not_for_annotators(trained: Project) -> None:
    reviewer = signed_in(factories.member(trained, Membership.Role.REVIEWER))
    version = ModelVersion.objects.get(project=trained)
    base = f"/projects/{trained.slug}/models/1/"
    page = reviewer.get(base).content.decode()
    seen: list[int] = []
    for truth, row in enumerate(version.metrics["confusion"]):
        for guess, count in enumerate(row):
            assert (f'href="{base}{truth}/{guess}/"' in page) == (count > 0)
            if count:
                cell = reviewer.get(f"{base}{truth}/{guess}/").content.decode()
                shown = [int(pk) for pk in re.findall(rf"/projects/{trained.slug}/items/(\d+)/image", cell)]
                assert len(shown) == count
                labels = Consensus.objects.filter(item__in=shown).values_list("label__name", "item__split")
                assert set(labels) == {(version.card["classes"][truth]["name"], "holdout")}
                seen += shown
    assert len(seen) == len(set(seen)) == version.holdout_labels
    annotator = signed_in(factories.member(trained))
    assert f"{base}0/0/" not in annotator.get(base).content.decode()
    assert reviewer.get(f"{base}99/0/").status_code == 404


def test_the_admin_shows_but_does_not_change(trained: Project) -> None:
    admin = signed_in(factories.user(is_staff=True, is_superuser=True))
    for model in ("learner", "trainingrun", "modelversion", "round", "embeddingshard"):
        assert admin.get(f"/admin/learning/{model}/").status_code == 200
        assert admin.get(f"/admin/learning/{model}/add/").status_code == 403
    version = ModelVersion.objects.get(project=trained)
    changed = admin.post(f"/admin/learning/modelversion/{version.pk}/change/", {"number": 9})
    assert changed.status_code == 403
    assert timezone.now() > version.created_at
