import json
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from django.test import Client

from labelling.models import Annotation, Item, Label, Lease, Project, User
from labelling.services.queue import RankedItem, queue_swap
from tests import factories

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Response

pytestmark = pytest.mark.django_db


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def post(client: Client, project: Project, path: str, **body: object) -> "Response":
    url = f"/api/v1/projects/{project.slug}/{path}"
    return client.post(url, json.dumps(body, default=str), content_type="application/json")


def answer(
    client: Client, project: Project, item: Item, uuid: UUID | None = None, **body: object
) -> "Response":
    question = project.questions.get()
    label = Label.objects.filter(question=question).first()
    assert label is not None
    said = {"uuid": uuid or uuid4(), "item": item.pk, "question": question.pk, "label": label.pk} | body
    return post(client, project, "annotations", **said)


def test_a_leased_item_comes_with_all_the_browser_needs() -> None:
    project = factories.project(holdout_queue_share=0.0)
    client, item = signed_in(factories.member(project)), factories.item(project)
    response = post(client, project, "leases", count=3)
    assert response.status_code == 200
    (leased,) = response.json()["items"]
    assert 100 < leased.pop("expires_in") <= 120
    assert leased == {
        "item": item.pk,
        "image": f"/projects/{project.slug}/items/{item.pk}/image",
        "width": 16,
        "height": 16,
        "questions": [project.questions.get().pk],
        "suggestion": None,
        "other_suggestions": [],
        "lists": [],
    }
    assert post(client, project, "leases", count=0, holding=[item.pk]).json()["held"] == [item.pk]


def test_the_holdout_is_blind() -> None:
    """Nothing in the answer differs from that of a random pool item, even if a suggestion were stored."""
    project = factories.project(holdout_queue_share=0.5, seed=3)
    client = signed_in(factories.member(project))
    label = Label.objects.filter(question__project=project).first()
    assert label is not None
    pool = [factories.item(project) for _ in range(8)]
    holdout = {factories.item(project, split=Item.Split.HOLDOUT).pk for _ in range(8)}
    queue_swap(
        project=project,
        entries=[RankedItem(item.pk, 0.5, label.pk, 0.9) for item in pool],
        round_number=1,
        strategy="margin",
        reason="",
        model_digest="",
        through_annotation=0,
    )
    post(client, project, "leases", count=16)
    Lease.objects.filter(source="holdout").update(suggestion=label, confidence=0.9)
    response = post(client, project, "leases", count=16)
    items = response.json()["items"]
    assert len({frozenset(one) for one in items}) == 1
    assert all(one["suggestion"] is None for one in items if one["item"] in holdout)
    assert {one["suggestion"]["label"] for one in items if one["item"] not in holdout} == {label.pk}
    assert b"holdout" not in response.content
    assert b"ranked" not in response.content


def test_an_answer_is_created_once_and_its_repetition_says_so() -> None:
    project = factories.project()
    client, item, uuid = signed_in(factories.member(project)), factories.item(project), uuid4()
    first = answer(client, project, item, uuid, seconds=0.8)
    again = answer(client, project, item, uuid, seconds=0.8)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json()["kind"] == "answer"


def test_an_undo_is_created_once_and_frees_the_item() -> None:
    project = factories.project()
    client, item, uuid = signed_in(factories.member(project)), factories.item(project), uuid4()
    answer(client, project, item, uuid)
    undo = uuid4()
    assert post(client, project, f"annotations/{uuid}/undo", uuid=undo).status_code == 201
    assert post(client, project, f"annotations/{uuid}/undo", uuid=undo).status_code == 200
    item.refresh_from_db()
    assert item.open
    refused = post(client, project, f"annotations/{uuid}/undo", uuid=uuid4())
    assert refused.status_code == 400
    assert "does not stand any more" in refused.json()["detail"]
    assert post(client, project, f"annotations/{uuid4()}/undo", uuid=uuid4()).status_code == 404


def test_strangers_and_the_signed_out_get_nothing() -> None:
    project, other = factories.project(), factories.project()
    item = factories.item(project)
    stranger = signed_in(factories.member(other))
    assert post(stranger, project, "leases", count=1).status_code == 404
    assert answer(stranger, project, item).status_code == 404
    assert post(Client(), project, "leases", count=1).status_code == 403
    assert answer(Client(), project, item).status_code == 403
    assert stranger.get(f"/projects/{project.slug}/label/").status_code == 404
    assert not Annotation.objects.exists()
    assert not Lease.objects.exists()


def test_a_request_without_the_csrf_token_is_refused() -> None:
    project = factories.project()
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.member(project))
    assert post(client, project, "leases", count=1).status_code == 403


def test_what_one_person_answered_is_not_stored_as_another_who_signed_in_since() -> None:
    project = factories.project()
    ann, ben = factories.member(project), factories.member(project)
    item = factories.item(project)
    assert answer(signed_in(ben), project, item, annotator=ann.pk).status_code == 403
    assert answer(signed_in(ann), project, item, annotator=ann.pk).status_code == 201


def test_someone_elses_answer_cannot_be_undone() -> None:
    project = factories.project()
    ann, ben, uuid = factories.member(project), factories.member(project), uuid4()
    answer(signed_in(ann), project, factories.item(project), uuid)
    assert post(signed_in(ben), project, f"annotations/{uuid}/undo", uuid=uuid4()).status_code == 404


def test_an_item_label_or_question_of_another_project_is_refused_in_a_sentence() -> None:
    project, other = factories.project(), factories.project()
    client = signed_in(factories.member(project))
    item, foreign = factories.item(project), factories.item(other)
    foreign_label = Label.objects.filter(question__project=other).first()
    assert foreign_label is not None
    for refused, words in (
        (answer(client, project, foreign), "there is no item"),
        (answer(client, project, item, label=foreign_label.pk), "is not an answer to"),
        (answer(client, project, item, question=other.questions.get().pk), "there is no question"),
        (answer(client, project, item, seconds=-1), "seconds:"),
        (post(client, project, "annotations", item=item.pk), "uuid: This field is required"),
        (post(client, project, "leases", count=21), "count:"),
        (post(client, project, "leases", count=1, holding=["x"]), "holding.0:"),
        (
            client.post(f"/api/v1/projects/{project.slug}/leases", "{", content_type="application/json"),
            "JSON",
        ),
        (
            client.post(f"/api/v1/projects/{project.slug}/leases", "[]", content_type="application/json"),
            "object",
        ),
    ):
        assert refused.status_code == 400
        assert words in refused.json()["detail"]
    assert not Annotation.objects.exists()


def test_a_partly_answered_item_asks_only_what_is_left() -> None:
    project = factories.project()
    question = project.questions.get()
    colour = project.questions.create(key="colour", prompt="Which colour?", position=1)
    client, item = signed_in(factories.member(project)), factories.item(project)
    post(client, project, "leases", count=1)
    label = Label.objects.filter(question=question).first()
    assert label is not None
    body = {"uuid": uuid4(), "item": item.pk, "question": question.pk, "label": label.pk}
    assert post(client, project, "annotations", **body).status_code == 201
    (leased,) = post(client, project, "leases", count=1).json()["items"]
    assert leased["questions"] == [colour.pk]


def test_getting_the_page_writes_nothing_and_shows_labels_with_their_keys() -> None:
    project = factories.project(labels=tuple(f"class {i}" for i in range(11)))
    client = signed_in(factories.member(project))
    factories.item(project)
    response = client.get(f"/projects/{project.slug}/label/")
    page = response.content.decode()
    assert response.status_code == 200
    assert 'aria-keyshortcuts="1"' in page
    assert 'aria-keyshortcuts="0"' in page
    assert page.count('class="choice"') == 11
    assert "csrftoken" in response.cookies
    assert not Lease.objects.exists()
    assert Client().get(f"/projects/{project.slug}/label/").status_code == 302
