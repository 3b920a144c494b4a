"""The augmentation page and its API: begin, follow, pause, keep, use, take away and bring back."""

import io
import json
from typing import Any

import pytest
from django.test import Client

from labelling.models import Project
from learning.core.augmentation import Applied, Policy
from learning.core.policy_search.config import FIXED
from learning.models import AugmentationPolicy, PolicySearch, PolicyTrial
from learning.policy_forms import PolicySearchForm
from learning.services.learners import learner_update, learners_ensure
from learning.services.policies import policy_keep
from tests.learning.digits import digits_project, label_items, learner_of

pytestmark = pytest.mark.django_db
POLICY = Policy(((Applied("rotate", 0.5, 0.5),),))


@pytest.fixture
def project() -> Project:
    made, truth = digits_project(40)
    learners_ensure()
    label_items(made, truth, 28)
    return made


def sent(**changes: object) -> dict[str, Any]:
    """What the page posts when nothing is changed."""
    form = PolicySearchForm()
    usual = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    usual["fraction"] = 100
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


def test_a_search_is_begun_followed_paused_and_ended_on_its_page(project: Project, manager: Client) -> None:
    page = f"/projects/{project.slug}/augmentation/"
    first = manager.get(page).content.decode()
    for words in ("No search yet", "Reinforcement learning (PPO)", "Random search", "Mix in another picture"):
        assert words in first
    assert f'href="{page}"' in manager.get(f"/projects/{project.slug}/learner/").content.decode()

    assert manager.post(page, sent()).status_code == 302
    search = PolicySearch.objects.get(project=project)
    assert search.config["space"]["operations"] == sent()["operations"]
    assert search.config["fixed"] == sent()["fixed"] == list(FIXED)
    assert (search.config["trials"], search.config["rate"], search.minutes) == (300, 0.005, None)
    part = manager.get(f"{page}search/").content.decode()
    assert "Waiting for a worker: 0 of " in part
    assert 'hx-trigger="every 2s"' in part
    PolicySearch.objects.update(state="running", seconds=10.0, stage="trying policies")
    for number, reward in enumerate((0.5, 0.75, 0.0)):
        PolicyTrial.objects.create(
            search=search,
            number=number,
            kind="search",
            seed=0,
            reward=reward,
            diverged=not reward,
            pictures="x",
        )
    part = manager.get(f"{page}search/").content.decode()
    assert "Trying policies: 3 of " in part
    assert ", about " in part
    assert "1 of the networks diverged" in part
    assert "The upper row shows pictures" in part
    PolicyTrial.objects.update(pictures="")
    assert "The upper row shows" not in manager.get(f"{page}search/").content.decode()
    assert "Trial 2: 75.0% right" in part
    points = manager.get(f"{page}rewards.json").json()["points"]
    assert [point["reward"] for point in points] == [0.5, 0.75, 0.0]
    assert points[1]["baseline"] == pytest.approx(0.95 * 0.5 + 0.05 * 0.75)
    assert "New search" not in manager.get(page).content.decode()

    refused = manager.post(f"{page}search/", {"action": "banana"})
    assert refused.status_code == 422
    words = "There is no action &#x27;banana&#x27;; there are: pause, resume, end. Nothing was done."
    assert words in refused.content.decode()
    assert "Paused: 3 of " in manager.post(f"{page}search/", {"action": "pause"}).content.decode()
    assert "Waiting for a worker" in manager.post(f"{page}search/", {"action": "resume"}).content.decode()
    ended = manager.post(f"{page}search/", {"action": "end"}).content.decode()
    assert "It was ended by a manager." in ended
    assert "3 of " in ended
    assert "trials were done. No policy is kept of it, and what is in use stays in use." in ended
    assert "hx-trigger" not in ended
    assert "Begin another" in ended


@pytest.mark.parametrize(("better", "instead"), [(True, ""), (False, ""), (True, "AugMix did better")])
def test_only_a_policy_that_is_better_is_good_news(
    project: Project, manager: Client, better: bool, instead: str
) -> None:
    words = "-1.3 points against none (-3.0 to +0.4)"
    verdict = {"better": better, "words": words, "instead": instead}
    search = PolicySearch.objects.create(
        project=project,
        config={"search": "ppo"},
        state="done",
        known=[],
        total=3,
        verdict=verdict,
        note="Kept.",
    )
    policy_keep(project=project, policy=POLICY, name="found", evidence={"verdict": verdict}, search=search)
    page = manager.get(f"/projects/{project.slug}/augmentation/").content.decode()
    assert ('<p class="notice notice-good">Kept.</p>' in page) is better
    assert ('<span class="badge">not better</span>' in page) is (not better or bool(instead))
    assert (f"{words}; AugMix did better;" in page) is bool(instead)
    assert "Use found" in page  # a person may use it all the same


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"operations": None}, "The search space has no operation: choose at least one."),
        ({"trials": "0"}, "The number of trials must be a whole number from 1"),
        ({"trials": "many"}, "Write the trials as a whole number"),
        ({"rate": "0"}, "learning rate must be above 0"),
        ({"rate": "nan"}, "Write the learning rate of the controller as a number."),
        ({"rate": "inf"}, "Write the learning rate of the controller as a number."),
        ({"rate": "-0.1"}, "learning rate must be above 0 and at most 1, not -0.1."),
        ({"minutes": "-1"}, "It cannot take -1 minutes"),
        ({"fraction": "10"}, "10% of the labels are to be used. There are 3 labels for 10 classes"),
        ({"seed": "x"}, "Write the seed as a whole number, or leave it empty."),
        ({"seed": "-3"}, "The seed must be"),
        ({"search": "guess"}, "There is no search"),
        ({"operations": ["fly"]}, "There is no operation &#x27;fly&#x27;; choose of the list."),
        ({"child": "huge"}, "There is no size &#x27;huge&#x27;; choose one of the list."),
        ({"search": 3_000 * "a"}, f"There is no search &#x27;{60 * 'a'}&#x27;; choose one of the list."),
        ({"fixed": ["fly"]}, "There is no augmentation &#x27;fly&#x27;; choose of the list."),
        ({"child": ""}, "Choose the size of the trial network."),
    ],
)
def test_what_cannot_be_searched_is_said_on_the_page(
    project: Project, manager: Client, changes: dict[str, object], words: str
) -> None:
    answer = manager.post(f"/projects/{project.slug}/augmentation/", sent(**changes))
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not PolicySearch.objects.exists()


def test_a_policy_is_exported_imported_and_used(project: Project, manager: Client) -> None:
    kept = policy_keep(project=project, policy=POLICY, name="mine", evidence={"note": "by hand"})
    page = f"/projects/{project.slug}/augmentation/"
    data = manager.get(f"{page}policies/{kept.pk}/").content
    AugmentationPolicy.objects.all().delete()
    file = io.BytesIO(data)
    file.name = "mine.json"
    answer = manager.post(f"{page}policies/", {"policy": file}, follow=True).content.decode()
    assert "The policy mine is kept." in answer
    assert "Turn at 50% for 50%" in answer
    again = AugmentationPolicy.objects.get(project=project)
    twice = io.BytesIO(b"\xef\xbb\xbf" + data.replace(b'"mine"', b'"yours"'))
    twice.name = "yours.json"
    answer = manager.post(f"{page}policies/", {"policy": twice}, follow=True).content.decode()
    assert "The policy mine was here already, under this name." in answer
    for action in ("", "banana", 3_000 * "a"):
        refused_use = manager.post(f"{page}policies/{again.pk}/", {"action": action})
        assert refused_use.status_code == 422
        assert "there are: use, delete. Nothing was done." in refused_use.content.decode()
        assert len(refused_use.content) < len(manager.get(page).content) + 1_000
        assert learner_of(project).augmentation != "mine"
    answer = manager.post(f"{page}policies/{again.pk}/", {"action": "use"}, follow=True).content.decode()
    assert "Features that are learned from now on use mine." in answer
    assert learner_of(project).augmentation == "mine"
    one, api = (
        f"{page}policies/{again.pk}/",
        f"/api/v1/projects/{project.slug}/augmentation/policies/{again.pk}",
    )
    assert (
        "mine is in use: choose another"
        in manager.post(one, {"action": "delete"}, follow=True).content.decode()
    )
    refused = manager.delete(api)
    assert (refused.status_code, "is in use" in refused.json()["detail"]) == (400, True)
    learner_update(learner=learner_of(project), augmentation="views")
    assert manager.delete(api).status_code == 204
    assert manager.delete(api).status_code == 404
    other = policy_keep(project=project, policy=POLICY, name="other", evidence={})
    deleted = manager.post(f"{page}policies/{other.pk}/", {"action": "delete"}, follow=True)
    assert "The policy other is deleted." in deleted.content.decode()
    assert not AugmentationPolicy.objects.exists()
    huge = data.replace(b'"probability": 0.5', b'"probability": 1' + 400 * b"0")
    for wrong, words in (
        (b"{", "is not JSON"),
        (100_000 * b"[", "is not JSON"),
        (b"[]", "This is not an exported policy"),
        (data.replace(b'"by hand"', b"NaN"), "cannot hold NaN"),
        (data.replace(b'"by hand"', rb'"\u0000"'), "cannot hold a NUL character"),
        (data.replace(b'"by hand"', rb'"\ud800"'), "cannot hold half a surrogate pair"),
        (data.replace(b'"rotate"', rb'"\ud800"'), "cannot hold half a surrogate pair"),
        (huge, "probability and magnitude lie between 0 and 1"),
    ):
        file = io.BytesIO(wrong)
        file.name = "x.json"
        assert words in manager.post(f"{page}policies/", {"policy": file}, follow=True).content.decode()
    assert "Choose the JSON file" in manager.post(f"{page}policies/", follow=True).content.decode()


def test_the_api_begins_follows_pauses_and_keeps(project: Project, manager: Client) -> None:
    address = f"/api/v1/projects/{project.slug}/augmentation"

    def call(method: str, where: str, body: object) -> tuple[int, Any]:
        answer = manager.generic(method, where, json.dumps(body), content_type="application/json")
        return answer.status_code, answer.json()

    usual = manager.get(address).json()
    assert usual["newest"] is None
    assert usual["usual"]["trials"] == 300
    assert [one["name"] for one in usual["searches"]][-1] == "reinforce"
    assert call("POST", address, {"config": {"trials": 0}}) == (
        400,
        {"detail": "The number of trials must be a whole number from 1 to 100,000, not 0."},
    )
    assert call("POST", address, {"config": {"wings": 2}})[0] == 400
    status, begun = call("POST", address, {"config": {"trials": 20, "search": "random"}, "minutes": 5})
    assert (status, begun["newest"]["state"], begun["newest"]["minutes"]) == (201, "queued", 5.0)
    assert call("PATCH", address, {"action": "pause"})[1]["newest"]["state"] == "paused"
    assert call("PATCH", address, {"action": "resume"})[1]["newest"]["state"] == "queued"
    assert call("PATCH", address, {"action": "dance"})[0] == 400
    assert call("DELETE", address, {})[1]["newest"]["error"] == "It was ended by a manager."

    kept = policy_keep(project=project, policy=POLICY, name="mine", evidence={})
    (listed,) = manager.get(f"{address}/policies").json()
    assert listed == manager.get(f"{address}/policies/{kept.pk}").json()
    kept.delete()
    assert call("POST", f"{address}/policies", listed)[0] == 201
    marked = ("\ufeff" + json.dumps({**listed, "name": "yours"})).encode()
    again = manager.post(f"{address}/policies", marked, content_type="application/json")
    assert (again.status_code, again.json()["name"]) == (200, "mine")
    assert call("POST", f"{address}/policies", {**listed, "policy": 3})[0] == 400
    learner = f"/api/v1/projects/{project.slug}/learner"
    assert call("PATCH", learner, {"augmentation": "mine"})[1]["augmentation"] == "mine"
    status, refused = call("PATCH", learner, {"augmentation": "melt"})
    assert (status, "There is no augmentation 'melt'" in refused["detail"]) == (400, True)
