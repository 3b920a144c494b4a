"""What needs no search is tried beside what was found, and used where it does better."""

import pytest
from django.test import Client
from django.urls import reverse

from labelling.models import Membership
from learning.core.augmentation import Augment
from learning.core.children.judge import Judge
from learning.core.policy_search.session import Trial
from learning.models import AugmentationPolicy
from learning.policy_selectors import search_progress
from learning.services.policy_search import policy_search_do, policy_search_request
from tests import factories
from tests.learning.digits import learner_of
from tests.learning.services.test_policy_search import QUICK, labelled_project, quick_finals

__all__ = ["quick_finals"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def _augmix_does_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the answers, all are right that were learned by it."""
    by_children = Judge._by_children

    def right(self: Judge, augment: Augment, *rest: object) -> float:
        found = by_children(self, augment, *rest)  # type: ignore[arg-type]  # whatever it takes
        return 1.0 if augment is Trial(0, "finalist", 0, "augmix", None).augment else found / 2

    monkeypatch.setattr(Judge, "_by_children", right)


@pytest.mark.usefixtures("quick_finals", "_augmix_does_best")
def test_a_fixed_augmentation_that_does_better_is_used_and_said(client: Client) -> None:
    project = labelled_project()
    search = policy_search_request(project=project, config={**QUICK, "fixed": ["rand-augment", "augmix"]})
    expected = search.total
    assert policy_search_do(search_id=search.pk)
    search.refresh_from_db()
    assert (search.state, search.total) == ("done", expected)
    finalists = search.trials.filter(kind="finalist").values_list("candidate", "policy")
    assert {name: bool(policy) for name, policy in finalists}.items() >= {
        "rand-augment": False,
        "augmix": False,
        "joined": True,
    }.items()
    kept = AugmentationPolicy.objects.get(search=search)  # a person may use it all the same
    assert learner_of(project).augmentation == "augmix"
    assert (search.verdict["best"], search.verdict["better"]) == ("augmix", True)
    assert "; AugMix did better when the best were tried again, and has +" in search.note
    assert search.note.endswith("; features that are learned from now on use it.")
    assert kept.evidence["verdict"] == search.verdict

    client.force_login(factories.member(project, Membership.Role.MANAGER))
    page = client.get(reverse("learning:augmentation", args=[project.slug])).content.decode()
    assert "In use: <b>AugMix</b>" in page

    # Found again, it is in use already: nothing changes, and it is met once.
    again = policy_search_request(project=project, config={**QUICK, "fixed": ["augmix"]})
    assert policy_search_do(search_id=again.pk)
    again.refresh_from_db()
    assert not again.verdict["better"]
    assert again.note.endswith("; it is in use already.")
    assert set(again.verdict["accuracy"]) == {again.verdict["candidate"], "none", "augmix"}


def test_the_time_left_knows_that_finalists_take_longer() -> None:
    project = labelled_project()
    config = {**QUICK, "child": {"looked_at": 64, "labels": 10}}
    search = policy_search_request(project=project, config=config)
    search.state, search.seconds = "running", 2.0
    search.save()
    for number in range(4):
        search.trials.create(number=number, kind="search", seed=0, reward=0.5)
    progress = search_progress(search)
    # Of 40 labels rather than 10, for half a second each of the four.
    assert progress.seconds_left == pytest.approx((progress.total - 4) * 4 * 0.5)
