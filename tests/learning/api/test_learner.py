import pytest
from django.test import Client

from learning.core.strategies import STRATEGIES
from learning.models import Learner
from learning.selectors import methods_offered
from learning.services.learners import learners_ensure
from learning.services.training import run_train
from tests import factories
from tests.learning.digits import digits_project, due_run, embed_all, label_items

pytestmark = pytest.mark.django_db


def test_a_manager_reads_the_recipe_with_all_choices_and_changes_it() -> None:
    project = factories.project()
    client = Client()
    client.force_login(factories.member(project, "manager"))
    address = f"/api/v1/projects/{project.slug}/learner"
    assert client.get(address).status_code == 404  # no tick has made it yet
    learners_ensure()

    recipe = client.get(address).json()
    costs = {one["name"]: one["cost"] for one in recipe["strategies"]}
    assert costs == {name: entry.cost for name, entry in STRATEGIES.items()}
    schema = client.get("/api/v1/schema", {"format": "json"}).json()
    assert "cost" in schema["components"]["schemas"]["Strategy"]["required"]
    assert {one["name"] for one in recipe["methods"]} == set(methods_offered())
    assert recipe["strategy"] in STRATEGIES

    for strategy in STRATEGIES:
        changed = client.patch(address, {"strategy": strategy}, content_type="application/json")
        assert (changed.status_code, changed.json()["strategy"]) == (200, strategy)
    learner = Learner.objects.get(project=project)
    assert learner.requested_at is not None

    for wrong, sentence in {
        "strategy": "There is no strategy 'guess'",
        "method": "There is no method 'guess'",
        "retrain_after": "A valid integer is required.",
        "training_megabytes": "A valid integer is required.",
        "training_seconds": "A valid integer is required.",
    }.items():
        refused = client.patch(address, {wrong: "guess"}, content_type="application/json")
        assert refused.status_code == 400
        assert sentence in refused.json()["detail"]
    learner.refresh_from_db()
    assert learner.method in methods_offered()


def test_a_manager_asks_after_the_training_and_ends_it() -> None:
    project, truth = digits_project(40)
    client = Client()
    client.force_login(factories.member(project, "manager"))
    learners_ensure()
    address = f"/api/v1/projects/{project.slug}/learner/training"
    assert client.get(address).json()["state"] == "none"

    embed_all()
    label_items(project, truth, 20)
    due_run()
    assert client.get(address).json()["state"] == "queued"
    ended = client.delete(address).json()
    assert (ended["state"], ended["error"]) == ("failed", "The training was ended by a manager.")
    assert client.delete(address).json() == ended

    label_items(project, truth, 1)
    assert run_train(run_id=due_run().pk)
    done = client.get(address).json()
    assert (done["state"], done["version"], done["error"]) == ("done", 1, "")
    assert done["finished_at"] > done["started_at"]
