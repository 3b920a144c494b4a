"""Lists of suggestions: who sees them, what an answer keeps of them, and how they are withdrawn."""

import uuid
from collections import Counter
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from labelling.models import Annotation, Item, Label, Lease, Project, Suggestion, User, Wanted
from labelling.services.annotations import annotation_record, annotation_undo
from labelling.services.leases import lease_items
from labelling.services.suggestions import Listed, items_drawn, suggestions_offer, suggestions_withdraw
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _wanted_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that chance does not decide which of few items are asked for the comparison."""
    monkeypatch.setattr("labelling.services.leases.WANTED_SHARE", 1.0)


def offered(project: Project, item: Item, *names: str) -> uuid.UUID:
    token, question = uuid.uuid4(), project.questions.get()
    labels = [Label.objects.get(question=question, name=name).pk for name in names]
    assert suggestions_offer(
        question=question, lists=[Listed(item.pk, labels, token)], reason="A comparison."
    ) == {token}
    return token


def asked(project: Project, user: User, count: int = 5) -> list[dict[str, Any]]:
    client = Client()
    client.force_login(user)
    address = reverse("labelling:api-next", args=[project.slug])
    answer = client.post(address, {"count": count}, content_type="application/json")
    assert answer.status_code == 200, answer.content
    return list(answer.json()["items"])


def answer(project: Project, user: User, item: Item, name: str) -> Annotation:
    question = project.questions.get()
    label = Label.objects.get(question=question, name=name)
    return annotation_record(
        project=project,
        annotator=user,
        uuid=uuid.uuid4(),
        item=item,
        question=question,
        label=label,
        seconds=1.0,
    )


def test_a_list_is_shown_in_its_order_and_the_answer_remembers_it() -> None:
    project = factories.project(("cat", "dog", "fox"), holdout_queue_share=0.0)
    item, ann = factories.item(project), factories.member(project)
    factories.item(project)
    token = offered(project, item, "fox", "cat")
    fox, cat = (Label.objects.get(name=name) for name in ("fox", "cat"))
    shown = {one["item"]: one for one in asked(project, ann)}[item.pk]
    question = project.questions.get()
    assert shown["lists"] == [{"question": question.pk, "labels": [fox.pk, cat.pk]}]
    assert (shown["suggestion"], shown["other_suggestions"]) == (None, [])
    assert str(token) not in str(shown), "nobody learns whose it is"

    said = answer(project, ann, item, "cat")
    assert said.shown_list is not None
    assert (said.shown_list.token, said.suggestion, said.source) == (token, fox, "listed")
    # Taken back and asked again, it is the same list.
    undo = annotation_undo(project=project, annotator=ann, uuid=uuid.uuid4(), undoes=said.uuid)
    assert undo.shown_list == said.shown_list
    [again] = [one for one in asked(project, ann) if one["item"] == item.pk]
    assert again["lists"] == shown["lists"]
    assert answer(project, ann, item, "dog").shown_list == said.shown_list
    assert not Wanted.objects.exists()
    project.delete()
    assert not Suggestion.objects.exists()


def test_only_items_wanted_for_it_come_with_a_list() -> None:
    """An audited item, or one of the hold-out, is never shown one, even if it were stored."""
    project = factories.project(holdout_queue_share=0.5)
    question = project.questions.get()
    audited, held_out = factories.item(project), factories.item(project, split=Item.Split.HOLDOUT)
    Wanted.objects.create(project=project, item=audited, kind=Wanted.Kind.AUDIT, reason="")
    refused = suggestions_offer(question=question, lists=[Listed(audited.pk, [1], uuid.uuid4())], reason="")
    assert refused == set()
    for item in (audited, held_out):
        Suggestion.objects.create(
            project=project, item=item, question=question, labels=[], token=uuid.uuid4()
        )
    assert [one["lists"] for one in asked(project, factories.member(project))] == [[], []]
    assert not Lease.objects.exclude(lists={}).exists()


def test_what_is_withdrawn_is_not_asked_but_answered_by_who_sees_it() -> None:
    project = factories.project(holdout_queue_share=0.0)
    items = [factories.item(project) for _ in range(2)]
    tokens = [offered(project, item, "cat", "dog") for item in items]
    ann = factories.member(project)
    [lease] = lease_items(project=project, annotator=ann, count=1)
    suggestions_withdraw(tokens=tokens)
    assert not Wanted.objects.exists()
    assert answer(project, ann, lease.item, "cat").shown_list is not None
    [later] = lease_items(project=project, annotator=ann, count=1)
    assert (later.source, later.lists) == ("random", {})
    # The same item may be offered anew.
    other = factories.member(project)
    Lease.objects.all().delete()
    offered(project, later.item, "dog", "cat")
    assert lease_items(project=project, annotator=other, count=1)[0].lists


def test_items_are_drawn_evenly_from_what_nobody_has_spoken_of() -> None:
    project = factories.project()
    question, ann = project.questions.get(), factories.member(project)
    items = [factories.item(project) for _ in range(8)]
    for rank, item in enumerate(items):
        Item.objects.filter(pk=item.pk).update(random_rank=rank)
    factories.item(project, split=Item.Split.HOLDOUT)
    answer(project, ann, items[0], "cat")
    offered(project, items[1], "cat", "dog")
    rng = np.random.default_rng(0)
    drawn = Counter(one.pk for _ in range(300) for one in items_drawn(question=question, count=3, rng=rng))
    assert drawn.keys() == {item.pk for item in items[2:]}
    assert len(items_drawn(question=question, count=50, rng=rng)) == 6
    assert min(drawn.values()) > 80
    assert items_drawn(question=factories.project().questions.get(), count=3, rng=rng) == []
