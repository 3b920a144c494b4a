import pytest
from django.test import Client

from labelling.models import Item
from learning.models import Learner, Rule
from tests import factories
from tests.learning.shelves import checked, on_shelf, shelves

pytestmark = pytest.mark.django_db


def test_a_manager_writes_reads_changes_and_deletes_rules_by_api() -> None:
    project, _, learner = shelves(40, wrong=0.0)
    client = Client()
    client.force_login(factories.member(project, "manager"))
    address = f"/api/v1/projects/{project.slug}/rules"
    assert client.get(address).json() == {
        "rules": [],
        "fields_known": ["file", "format", "width", "height", "bytes", "shelf"],
    }

    when = [on_shelf("0"), {"kind": "score", "label": "3", "at_least": 0}]
    made = client.post(
        address, {"name": "zeros", "label": "0", "when": when}, content_type="application/json"
    )
    assert made.status_code == 201
    rule = made.json()
    assert (rule["label"], rule["when"], rule["enabled"], rule["found"]) == ("0", when, True, None)
    assert Learner.objects.get(pk=learner.pk).requested_at is not None
    own = f"{address}/{rule['id']}"
    changed = client.patch(own, {"when": [on_shelf("0")]}, content_type="application/json").json()
    assert (changed["name"], changed["label"], changed["when"]) == ("zeros", "0", [on_shelf("0")])
    checked()
    (found,) = client.get(address).json()["rules"]
    zeros = Item.objects.filter(project=project, split="pool", metadata={"shelf": "shelf 0"}).count()
    assert found["found"]["votes"] == zeros
    off = client.patch(own, {"enabled": False}, content_type="application/json").json()
    assert (off["enabled"], off["found"], off["when"]) == (False, None, [on_shelf("0")])

    item = Item.objects.filter(project=project, split="pool")[0]
    table = {"name": "tool", "table": {item.name: "4"}}
    tool = client.post(address, table, content_type="application/json").json()
    assert tool["table_rows"] == 1
    renamed = client.patch(f"{address}/{tool['id']}", {"name": "t2"}, content_type="application/json").json()
    assert (renamed["name"], renamed["table_rows"]) == ("t2", 1)
    assert client.delete(own).status_code == 204
    assert client.get(own).status_code == 404
    assert [rule.name for rule in Rule.objects.filter(project=project)] == ["t2"]


def test_what_is_wrong_is_told_in_a_sentence() -> None:
    project, _, _ = shelves(12)
    client = Client()
    client.force_login(factories.member(project, "manager"))
    address = f"/api/v1/projects/{project.slug}/rules"
    for sent, sentence in (
        ({}, "name: This field is required."),
        ({"name": "r", "label": "cow", "when": [on_shelf("0")]}, "Rule 'r': there is no label 'cow'"),
        ({"name": "r", "label": "0", "when": ["x"]}, "Rule 'r': each condition is an object"),
        ({"name": "r", "label": "0", "when": [{"kind": "python"}]}, "there is no condition 'python'"),
        ({"name": "r", "label": "0", "table": {"a": "0"}}, "give either a table, or a label and conditions"),
        ({"name": "r", "table": {}}, "has no rows"),
        ({"name": "r", "table": {"a": "cow"}}, "Rule 'r': entry 1 of the table: there is no label 'cow'"),
        ({"name": "r", "table": {"a": "0"}}, "no image of the pool is named in its table"),
    ):
        refused = client.post(address, sent, content_type="application/json")
        assert refused.status_code == 400, sent
        assert sentence in refused.json()["detail"], sent


@pytest.mark.parametrize("role", ["annotator", "reviewer", None])
def test_only_managers_change_rules(role: str | None) -> None:
    project, _, learner = shelves(12)
    rule = Rule.objects.create(project=project, question=learner.question, name="x")
    client = Client()
    client.force_login(factories.member(project, role) if role else factories.user())
    own = f"/api/v1/projects/{project.slug}/rules/{rule.pk}"
    refused = 403 if role else 404
    assert client.patch(own, {"enabled": False}, content_type="application/json").status_code == refused
    assert client.delete(own).status_code == refused
    rule.refresh_from_db()
    assert rule.enabled
