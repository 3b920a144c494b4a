"""What goes wrong in the middle: a child that diverges, too little memory for a single picture; and children
that would look too seldom to say anything.
"""

import pytest
import torch
from django.test import Client

from labelling.models import Item, Project
from learning.core.augmentation import Augment
from learning.core.children import children, judge
from learning.core.children.children import Children
from learning.core.policy_search.plan import ChildPlan
from learning.models import AugmentationPolicy
from learning.services.learners import learners_ensure
from learning.services.policy_search import policy_search_do, policy_search_request
from learning.services.pretraining import pretraining_do, pretraining_request
from tests.learning.digits import digits_project, label_items, learner_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    made, truth = digits_project(60)
    learners_ensure()
    label_items(made, truth, 40)
    label_items(made, truth, 5, Item.Split.HOLDOUT)
    return made


def test_a_child_that_diverges_is_counted_and_shown_and_stops_nothing_else(
    project: Project, manager: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("learning.core.policy_search.session.FINALIST_SEEDS", 1)
    monkeypatch.setattr("learning.core.policy_search.session.CONFIRMATION_SEEDS", 2)
    config = {"trials": 4, "together": 2, "seed": 5, "search": "random", "child": {"looked_at": 64}}
    search = policy_search_request(project=project, config=config)
    real, calls = children.children_train, iter(range(1_000))

    def second_sees_nan(
        images: list[torch.Tensor],
        labels: list[torch.Tensor],
        classes: int,
        augment: Augment,
        plan: ChildPlan,
        seeds: list[int],
    ) -> Children:
        if next(calls) == 1:
            images = [torch.full(one.shape, torch.nan) for one in images]
            return real(images, labels, classes, lambda x, generator: x, plan, seeds)
        return real(images, labels, classes, augment, plan, seeds)

    monkeypatch.setattr(judge, "children_train", second_sees_nan)
    assert policy_search_do(search_id=search.pk)
    search.refresh_from_db()
    assert search.state == "done", search.error
    first = search.trials.filter(kind="search").values_list("number", "diverged", "reward")
    assert [(number, diverged, reward == 0) for number, diverged, reward in first] == [
        (0, False, False),
        (1, True, True),
        (2, False, False),
        (3, False, False),
    ]
    assert AugmentationPolicy.objects.get(search=search).evidence["diverged"] == 1
    part = manager.get(f"/projects/{project.slug}/augmentation/search/").content.decode()
    assert "1 of the networks diverged, which counts as no right answer." in part
    assert manager.get(f"/api/v1/projects/{project.slug}/augmentation").json()["newest"]["diverged"] == 1


def test_too_little_memory_for_one_picture_is_said_before_anything_is_trained(
    project: Project, manager: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = learner_of(project).backbone
    monkeypatch.setattr("learning.core.networks.batch_trial.free_memory", lambda device: 1_000)
    run = pretraining_request(project=project, method="vicreg")
    assert not pretraining_do(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, run.progress, learner_of(project).backbone) == ("failed", 0.0, before)
    words = "Pretraining stopped: Not even the smallest batch fits: a step takes "
    assert run.error.startswith(words)
    assert words in manager.get(f"/projects/{project.slug}/learner/pretraining/").content.decode()
    answer = manager.get(f"/api/v1/projects/{project.slug}/learner/pretraining")
    assert answer.json()["newest"]["error"] == run.error
