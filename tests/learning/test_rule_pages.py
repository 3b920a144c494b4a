"""The rules' pages, as a manager walks through them."""

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from labelling.models import Item, Membership, Project
from learning.models import Learner, ModelVersion, Rule, RuleCheck
from learning.services.learners import learner_update, learners_ensure
from learning.services.rule_checks import check_do
from learning.services.training import run_train
from tests import factories
from tests.learning.digits import DIGITS, due_run
from tests.learning.shelves import checked, shelves, write_shelves

pytestmark = pytest.mark.django_db


def manager_of(project: Project) -> Client:
    client = Client()
    client.force_login(factories.member(project, Membership.Role.MANAGER))
    return client


def written(name: str, label: str, **condition: str) -> dict[str, str]:
    """The form's fields; those of the conditions that are not used stand there too, as in a browser."""
    empty = {
        "kind": "",
        "field": "",
        "operator": "=",
        "value": "",
        "pattern": "",
        "label": "0",
        "examples": "",
    }
    places = {
        f"c{n}-{key}": value
        for n in range(5)
        for key, value in {**empty, "at_least": "0.9", "distance": "0.5"}.items()
    }
    return {
        "name": name,
        "source": "conditions",
        "label": label,
        **places,
        **{f"c0-{key}": value for key, value in condition.items()},
    }


def words(response: object) -> str:
    content: bytes = response.content  # type: ignore[attr-defined]  # the test client's own class has no name
    return " ".join(content.decode().replace("&#x27;", "'").split())


def test_a_manager_writes_rules_sees_what_they_do_and_trains_on_them() -> None:
    project, _, learner = shelves(120, wrong=0.0)
    learner_update(learner=learner, method="transfer")
    manager = manager_of(project)
    base = f"/projects/{project.slug}/rules/"
    assert f'href="{base}"' in words(manager.get(f"/projects/{project.slug}/learner/"))
    assert "Weak supervision needs rules: write one on the Rules page first." in words(
        manager.get(f"/projects/{project.slug}/learner/")
    )
    assert "No rule yet" in words(manager.get(base))
    assert '<option value="shelf">' in words(manager.get(f"{base}new/"))

    for digit in "01":
        sent = written(f"shelf {digit}", digit, kind="metadata", field="shelf", value=f"shelf {digit}")
        assert manager.post(f"{base}new/", sent).status_code == 302
    page = words(manager.get(base))
    assert "The rules are being checked." in page
    assert 'hx-trigger="every 1s"' in page
    assert "The model does not learn from rules: its method is Transfer." in page
    manager.post(base, {})
    assert Learner.objects.get(pk=learner.pk).method == "weak-supervision"
    checked()
    assert run_train(run_id=due_run().pk)

    page = words(manager.get(base))
    zeros = Item.objects.filter(project=project, split="pool", metadata={"shelf": "shelf 0"})
    assert f"votes on {zeros.count()} of 90 images" in page
    assert "nobody labelled its images yet" in page
    assert "Shelf is “shelf 0”" in page
    assert "The model learns from these rules." in page
    assert "hx-get" not in page
    assert f"/projects/{project.slug}/items/{zeros[0].pk}/image" in page or zeros.count() > 8
    version = ModelVersion.objects.get(project=project)
    card = words(manager.get(f"/projects/{project.slug}/models/{version.number}/"))
    assert f"{version.card['rules']['learned']} images that rules vote on: shelf 0, shelf 1" in card


def test_a_rule_is_edited_switched_off_and_deleted() -> None:
    project, _, learner = shelves(40)
    zero, one = write_shelves(learner, DIGITS[:2])
    manager = manager_of(project)
    address = f"/projects/{project.slug}/rules/{zero.pk}/"
    form = words(manager.get(address))
    assert 'value="shelf 0"' in form
    sent = written("the zeros", "0", kind="pattern", field="shelf", pattern="0$")
    assert manager.post(address, sent).status_code == 302
    zero.refresh_from_db()
    assert (zero.name, zero.when) == ("the zeros", [{"kind": "pattern", "field": "shelf", "pattern": "0$"}])
    assert (
        manager.post(address, written(one.name, "0", kind="pattern", field="a", pattern="0")).status_code
        == 422
    )

    refused = manager.post(address, {"action": "banana"}, follow=True)
    assert "There is no action 'banana'; there are: enable, disable, delete." in words(refused)
    zero.refresh_from_db()
    assert zero.enabled
    manager.post(address, {"action": "disable"})
    assert "switched off" in words(manager.get(f"/projects/{project.slug}/rules/"))
    manager.post(address, {"action": "enable"})
    zero.refresh_from_db()
    assert zero.enabled
    manager.post(address, {"action": "delete"})
    assert not Rule.objects.filter(pk=zero.pk).exists()
    assert manager.get(address).status_code == 404
    assert manager.get(f"/projects/{factories.project().slug}/rules/").status_code == 404


def test_a_preview_asks_a_worker_and_shows_what_came_out() -> None:
    cache.clear()  # of workers that other tests have heard from
    project, _, _ = shelves(40, wrong=0.0)
    manager = manager_of(project)
    base = f"/projects/{project.slug}/rules/"
    refused = words(
        manager.post(f"{base}preview/", written("r", "0", kind="pattern", field="shelf", pattern="(a+)+"))
    )
    assert "Rule 'r': The pattern '(a+)+' repeats a group" in refused
    assert "hx-get" not in refused
    example = Item.objects.filter(project=project, split="pool")[0]
    sent = written("r", "0", kind="near", distance="0") | {"c0-picked": example.digest}

    part = words(manager.post(f"{base}preview/", sent))

    check = RuleCheck.objects.get()
    assert f'hx-get="{base}checks/{check.pk}/"' in part
    assert "earning worker has not been heard from" in part or "No learning worker has been heard" in part
    assert check_do(check_id=check.pk)
    part = words(manager.get(f"{base}checks/{check.pk}/"))
    assert "hx-get" not in part
    assert f"/items/{example.pk}/image" in part
    assert not Rule.objects.exists()


def test_a_table_is_uploaded_and_kept_when_only_the_name_changes() -> None:
    project, truth, _ = shelves(40)
    manager = manager_of(project)
    base = f"/projects/{project.slug}/rules/"
    items = Item.objects.filter(project=project, split="pool")
    lines = "".join(f"{item.name},{truth[item.pk]}\n" for item in items)

    def table(data: str, name: str = "tool") -> dict[str, object]:
        file = SimpleUploadedFile("votes.csv", data.encode(), "text/csv")
        return {"name": name, "source": "table", "file": file}

    refused = manager.post(f"{base}new/", table(lines + "x.png,cow\n"))
    assert refused.status_code == 422
    assert f"Rule 'tool': Row {items.count() + 1} of the table: there is no label 'cow'" in words(refused)
    assert "choose the table's file" in words(
        manager.post(f"{base}new/", {"name": "tool", "source": "table"})
    )

    assert manager.post(f"{base}new/", table(lines)).status_code == 302
    rule = Rule.objects.get()
    row = checked().result["rows"][str(rule.pk)]
    assert row["coverage"] == 1.0
    assert f"as the table votes.csv says ({items.count()} rows)" in words(manager.get(base)).lower()
    renamed = manager.post(f"{base}{rule.pk}/", {"name": "other tool", "source": "table"})
    assert renamed.status_code == 302
    rule.refresh_from_db()
    assert (rule.name, rule.table_rows) == ("other tool", items.count())


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        ({"kind": "metadata", "value": "1"}, "Name the field that is looked at."),
        ({"kind": "metadata", "field": "shelf"}, "Write what the field is compared with."),
        ({"kind": "pattern", "field": "shelf"}, "Write the pattern."),
        ({"kind": "near"}, "Choose at least one example."),
        ({"kind": "near", "examples": "x.png"}, "Rule 'r': there is no image 'x.png' in this project."),
        (
            {"kind": "near", "examples": "x.png", "distance": "far"},
            "Write the distance as a number between 0 and 2",
        ),
        ({"kind": "score", "at_least": ""}, "Write the score as a number between 0 and 1"),
        ({"kind": "score", "at_least": "2"}, "Rule 'r': A score lies between 0 and 1; 2.0 does not."),
        (
            {"kind": "metadata", "field": "a", "operator": "<", "value": "b"},
            "Rule 'r': '<' compares numbers, and 'b'",
        ),
        ({}, "Rule 'r': it needs at least one condition."),
    ],
)
def test_what_is_wrong_with_a_rule_stands_beside_it(condition: dict[str, str], sentence: str) -> None:
    project = factories.project(DIGITS)
    learners_ensure()
    refused = manager_of(project).post(f"/projects/{project.slug}/rules/new/", written("r", "0", **condition))
    assert refused.status_code == 422
    assert sentence in words(refused).replace("&lt;", "<")


def test_the_list_costs_few_queries_and_writes_nothing(django_assert_max_num_queries: object) -> None:
    project, _, learner = shelves(40)
    write_shelves(learner)
    checked()
    manager = manager_of(project)
    with django_assert_max_num_queries(24) as queries:  # type: ignore[operator]  # pytest-django's is untyped
        manager.get(f"/projects/{project.slug}/rules/")
    assert not [one for one in queries if one["sql"].split()[0] in ("INSERT", "UPDATE", "DELETE")]
