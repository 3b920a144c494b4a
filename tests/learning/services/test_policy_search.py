"""A project's own augmentation: searched by workers that may die, paused, ended, kept, exported, used."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from labelling.models import Item, Membership, Project
from learning.core.augmentation import Applied, Policy
from learning.core.children import guards
from learning.core.policy_search.config import config_from
from learning.core.policy_search.verdict import Verdict
from learning.models import AugmentationPolicy, Learner, PolicySearch, PolicyTrial
from learning.policy_selectors import best_trials, rewards_of, search_progress
from learning.services import policy_search, policy_trials
from learning.services.learners import learner_update, learners_ensure
from learning.services.policy_search import (
    policy_search_do,
    policy_search_end,
    policy_search_pause,
    policy_search_request,
    policy_search_resume,
)
from learning.services.policy_trials import judge_of, trial_judge_next
from learning.services.work import ATTEMPTS, works_take_over, works_to_send
from tests import factories
from tests.learning.digits import digits_project, label_items, learner_of

pytestmark = pytest.mark.django_db
QUICK = {
    "trials": 4,
    "together": 2,
    "seed": 5,
    "child": {"looked_at": 64},
    "space": {"sub_policies": 1, "length": 1},
    "fixed": [],
}
POLICY = Policy(((Applied("rotate", 0.5, 0.5),),))


def labelled_project(labels: int = 40) -> Project:
    project, truth = digits_project(60)
    learners_ensure()
    label_items(project, truth, labels)
    label_items(project, truth, 5, Item.Split.HOLDOUT)
    return project


def told(search: PolicySearch) -> list[tuple[object, ...]]:
    return list(search.trials.values_list("number", "kind", "candidate", "policy", "seed", "reward"))


@pytest.fixture
def quick_finals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("learning.core.policy_search.session.FINALIST_SEEDS", 1)
    monkeypatch.setattr("learning.core.policy_search.session.CONFIRMATION_SEEDS", 2)
    monkeypatch.setattr("learning.core.policy_search.session.FINALISTS", 2)


@pytest.mark.usefixtures("quick_finals")
def test_what_is_found_is_kept_with_its_evidence_whoever_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    project = labelled_project()
    calm = policy_search_request(project=project, config=QUICK)
    with pytest.raises(ValidationError, match="under way"):
        policy_search_request(project=project, config=QUICK)
    assert policy_search_do(search_id=calm.pk)
    calm.refresh_from_db()
    assert (calm.state, calm.error) == ("done", "")
    trials = told(calm)
    assert [one[0] for one in trials] == list(range(calm.total))
    assert all(one[5] is not None for one in trials)
    # The hold-out is never looked at.
    split = Item.objects.filter(pk__in=[pk for pk, _ in calm.known]).values_list("split", flat=True)
    assert set(split) == {Item.Split.POOL}
    kept = AugmentationPolicy.objects.get(search=calm)
    assert calm.note.startswith(f"{kept.name}, on fresh seeds and halves of the labels: ")
    assert kept.evidence["verdict"] == calm.verdict
    assert (kept.evidence["trials"], kept.evidence["labels"]) == (4, 40)
    used = learner_of(project).augmentation
    assert used == (kept.name if calm.verdict["better"] else "views")
    progress = search_progress(calm)
    assert (progress.done, progress.total, progress.seconds_left) == (calm.total, calm.total, None)
    assert [one["trial"] for one in rewards_of(calm)] == [1, 2, 3, 4]
    (best, *_) = best_trials(calm)
    assert default_storage.exists(best.pictures)

    # The same again, with a helper that dies in the middle of a trial, then the owner, again and again.
    Learner.objects.filter(project=project).update(augmentation="views")
    # Another policy has got the name that this one will be given.
    AugmentationPolicy.objects.update(digest="another")
    stormy = policy_search_request(project=project, config=QUICK)
    monkeypatch.setattr(policy_trials, "LEAST_PATIENCE", 0.0)
    judge, deaths = policy_trials._judge, iter([True, False] * ATTEMPTS + [True])

    def dies(trial: PolicyTrial) -> None:
        if next(deaths, False):
            raise SystemExit
        judge(trial)

    monkeypatch.setattr(policy_trials, "_judge", dies)
    attempts = 0
    while not stormy.finished_at:
        PolicySearch.objects.filter(pk=stormy.pk).update(heartbeat_at=timezone.now() - timedelta(seconds=11))
        works_take_over(PolicySearch, afterwards="", spared="spared")
        works_to_send(PolicySearch)
        attempts += 1
        try:
            policy_search_do(search_id=stormy.pk)
        except SystemExit:
            pass
        else:
            stormy.refresh_from_db()
            assert stormy.state == "done", stormy.error
    assert attempts > ATTEMPTS  # those after which a trial was finished do not count
    assert told(stormy) == trials
    assert stormy.verdict == calm.verdict
    assert AugmentationPolicy.objects.get(search=stormy).name == f"{kept.name}-2"


@pytest.mark.usefixtures("quick_finals")
def test_its_stage_is_that_of_the_trials_under_way() -> None:
    project = labelled_project()
    search = policy_search_request(project=project, config={**QUICK, "trials": 2})
    stages: list[str] = []

    def looks(search_id: int) -> None:
        stages.append(PolicySearch.objects.get(pk=search_id).stage)

    assert policy_search_do(search_id=search.pk, ask_for_help=looks)
    assert stages == ["trying policies", "trying the best again", "comparing the winner"]


@pytest.mark.usefixtures("quick_finals")
def test_it_is_paused_and_goes_on_and_is_helped(monkeypatch: pytest.MonkeyPatch) -> None:
    project = labelled_project()
    search = policy_search_request(project=project, config={**QUICK, "search": "random"})
    helped: list[bool] = []

    def helps_and_pauses(search_id: int) -> None:
        helped.append(trial_judge_next(search_id=search_id))
        if len(helped) == 2:
            policy_search_pause(search=search)
            # A paused search takes no help.
            assert not trial_judge_next(search_id=search_id)

    assert not policy_search_do(search_id=search.pk, ask_for_help=helps_and_pauses)
    search.refresh_from_db()
    assert (search.state, helped) == ("paused", [True, True])
    assert search_progress(search).done == 3
    assert works_to_send(PolicySearch) == []
    with pytest.raises(ValidationError, match="under way"):
        policy_search_request(project=project, config=QUICK)
    policy_search_resume(search=search)
    assert works_to_send(PolicySearch) == [search.pk]
    assert policy_search_do(search_id=search.pk)
    search.refresh_from_db()
    assert search.state == "done"
    assert search.trials.filter(kind="search").count() == 4

    ended = policy_search_request(project=project, config=QUICK)
    monkeypatch.setattr(policy_search, "trials_add", lambda **_: policy_search_end(search=ended))
    assert not policy_search_do(search_id=ended.pk)
    ended.refresh_from_db()
    assert (ended.state, ended.error) == ("failed", "It was ended by a manager.")


@pytest.mark.usefixtures("quick_finals")
@pytest.mark.parametrize("chosen", ["views", "none", "rand-augment"])
def test_what_a_person_chose_meanwhile_is_not_replaced(chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    project = labelled_project()
    monkeypatch.setattr(Verdict, "better", True)
    search = policy_search_request(project=project, config=QUICK)
    learner_update(learner=learner_of(project), augmentation=chosen)
    assert policy_search_do(search_id=search.pk)
    search.refresh_from_db()
    kept = AugmentationPolicy.objects.get(search=search)
    # It has met the views, which were in use, and none.
    met = chosen != "rand-augment"
    assert learner_of(project).augmentation == (kept.name if met else chosen)
    assert (f"{chosen}, chosen meanwhile, stays in use" in search.note) is not met
    assert all(one.pictures for one in best_trials(search))
    again = policy_search_request(project=project, config=QUICK)
    learner_update(learner=learner_of(project), augmentation=kept.name)
    assert policy_search_do(search_id=again.pk)
    again.refresh_from_db()
    assert again.note.endswith("; it is in use already.")


def test_what_is_asked_for_is_what_is_judged() -> None:
    """Of few labels of a class, a part may hold none: said before anything starts, or not at all."""
    project, truth = digits_project(60)
    learners_ensure()
    label_items(project, truth, 40)
    judged, refused = 0, []
    for seed in range(20):
        config = {**QUICK, "seed": seed, "fraction": 0.3}
        try:
            search = policy_search_request(project=project, config=config)
        except ValidationError as error:
            refused += error.messages
            continue
        judge_of(search, config_from(search.config))
        policy_search_end(search=search)
        judged += 1
    assert judged
    assert all(one.startswith("30% of the labels are to be used. ") for one in refused)


@pytest.mark.usefixtures("quick_finals")
def test_minutes_end_the_proposals_and_density_matching_ends_with_children() -> None:
    project = labelled_project()
    config = {**QUICK, "trials": 500, "search": "density-matching"}
    search = policy_search_request(project=project, config=config, minutes=0.1)
    PolicySearch.objects.filter(pk=search.pk).update(minutes=1e-6)
    assert policy_search_do(search_id=search.pk)
    search.refresh_from_db()
    assert search.trials.filter(kind="search").count() == 2
    assert search.state == "done"
    assert search.total == search.trials.count()


def test_operations_that_destroy_labels_are_left_out_and_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    project, truth = digits_project(320, holdout_every=320)
    learners_ensure()
    label_items(project, truth, 319)
    space = {"operations": ["upside-down", "rotate"], "sub_policies": 1, "length": 1}
    search = policy_search_request(project=project, config={**QUICK, "space": space})
    monkeypatch.setattr(policy_search, "trials_add", lambda **_: policy_search_end(search=search))
    assert not policy_search_do(search_id=search.pk)
    search.refresh_from_db()
    assert search.config["space"]["operations"] == ["rotate"]
    assert "Turn upside down makes " in search.left_out[0]
    manager = Client()
    manager.force_login(factories.member(project, Membership.Role.MANAGER))
    page = manager.get(f"/projects/{project.slug}/augmentation/").content.decode()
    assert f"Left out: {escape(search.left_out[0])}." in page
    assert "No policy is kept of it, and what is in use stays in use." in page
    alone = policy_search_request(
        project=project, config={**QUICK, "space": {**space, "operations": ["upside-down"]}}
    )
    assert not policy_search_do(search_id=alone.pk)
    alone.refresh_from_db()
    assert alone.error.startswith("The search stopped: every operation of the search space destroys labels")
    assert alone.error.endswith(" Choose others.")
    # A person's choice is no fault of the program.
    said = [one for one in caplog.records if one.name == "learning.services.work"][-1]
    assert (said.levelname, said.exc_info) == ("WARNING", None)
    monkeypatch.setattr(guards, "TOLD", 1.01)
    unknown = policy_search_request(project=project, config={**QUICK, "space": space})
    monkeypatch.setattr(policy_search, "trials_add", lambda **_: policy_search_end(search=unknown))
    assert not policy_search_do(search_id=unknown.pk)
    unknown.refresh_from_db()
    assert unknown.left_out == [guards.CANNOT_TELL]


@pytest.mark.parametrize(
    ("config", "minutes", "sentence"),
    [
        ({"space": {"operations": []}}, None, "The search space has no operation"),
        ({"trials": 0}, None, "The number of trials must be"),
        ({"rate": 0}, None, "learning rate must be above 0 and at most 1"),
        ({"rate": float("nan")}, None, "learning rate must be above 0 and at most 1"),
        ({"fraction": 0.1}, None, "10% of the labels are to be used. There are 4 labels for 10 classes"),
        ({"search": ["ppo"]}, None, r"There is no search \['ppo'\];"),
        ({"child": {"size": []}}, None, r"There is no child \[\];"),
        ({"rate": 10**400}, None, "learning rate must be above 0 and at most 1"),
        ({"rivals": {}}, None, "Rivals cannot be chosen"),
        ({"trails": 3}, None, r"has no 'trails'; it has .*, fraction, seed, fixed\."),
        ({"child": 3}, None, "The child must be an object of settings, not 3"),
        ({}, 0.0, "It cannot take 0 minutes"),
        ({}, float("nan"), "It cannot take nan minutes"),
    ],
)
def test_a_bad_request_gets_a_sentence_before_anything_starts(
    config: dict[str, object], minutes: float | None, sentence: str
) -> None:
    project = labelled_project()
    with pytest.raises(ValidationError, match=sentence):
        policy_search_request(project=project, config=config, minutes=minutes)
    assert not PolicySearch.objects.exists()


def test_without_labels_there_is_nothing_to_search() -> None:
    project, _ = digits_project(20)
    with pytest.raises(ValidationError, match="no learner yet"):
        policy_search_request(project=factories.project(), config={})
    learners_ensure()
    with pytest.raises(ValidationError, match="There are 0 labels for 10 classes"):
        policy_search_request(project=project, config={})
