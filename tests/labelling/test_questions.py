"""Several questions about an item: how they are made, asked, answered and taken back."""

from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from labelling.models import Annotation, Consensus, Item, Lease, Membership, Project, Question, User
from labelling.selectors import label_counts, unanswered
from labelling.services.annotations import annotation_record, annotation_undo
from labelling.services.leases import lease_items
from labelling.services.projects import project_update
from labelling.services.questions import question_add
from labelling.services.queue import RankedItem, queue_swap
from tests import factories

pytestmark = pytest.mark.django_db

BIRD = {"name": "Birds", "prompt": "Which bird?", "labels": "tit\nwren"}
BIRD |= {"overlap": "1", "holdout_share": "20"}
COLOUR = {"further-0-prompt": "Which colour?", "further-0-labels": "grey\nbrown", "further-0-key": "colour"}


def two_questions(overlap: int = 1) -> tuple[Project, Question, Question]:
    project = factories.project(holdout_queue_share=0.0, overlap=overlap)
    colour = factories.question(project, "colour", "Which colour?", ("grey", "brown"))
    return project, project.questions.get(key="label"), colour


def say(who: User, item: Item, question: Question, name: str | None) -> Annotation:
    label = question.labels.get(name=name) if name else None
    project = Project.objects.get(pk=item.project_id)
    return annotation_record(
        project=project, annotator=who, uuid=uuid4(), item=item, question=question, label=label, seconds=1.0
    )


def asked(project: Project, who: User, item: Item) -> list[str]:
    """The keys of the questions that the person gets with a new lease on the item, none without a lease."""
    leased = [lease.item_id for lease in lease_items(project=project, annotator=who, count=1)]
    keys = {question.pk: question.key for question in project.questions.all()}
    return [keys[pk] for pk in unanswered(project, who, leased).get(item.pk, [])]


def test_a_new_project_asks_all_that_its_form_names(client: Client) -> None:
    client.force_login(factories.user(is_staff=True))
    third = {"further-1-prompt": "Is it in flight?", "further-1-labels": "yes\nno", "further-1-key": ""}
    empty = {"further-2-prompt": "", "further-2-labels": "", "further-2-key": ""}
    assert client.post("/projects/new/", BIRD | COLOUR | third | empty).status_code == 302
    found = Question.objects.order_by("position").values_list("key", "prompt")
    assert list(found) == [
        ("label", "Which bird?"),
        ("colour", "Which colour?"),
        ("is-it-in-flight", "Is it in flight?"),
    ]
    assert [label.name for label in Question.objects.get(key="colour").labels.all()] == ["grey", "brown"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"further-0-prompt": ""}, "Write the question that is asked of every image."),
        ({"further-0-labels": "grey"}, "A question needs at least two labels: write one a line."),
        ({"further-0-key": "label"}, "&#x27;label&#x27; is another question&#x27;s short name"),
        ({"further-0-key": "a b"}, "Write the short name with letters, digits, - and _ only."),
    ],
)
def test_a_mistake_in_a_further_question_is_told_beside_it_and_nothing_is_made(
    client: Client, change: dict[str, str], sentence: str
) -> None:
    client.force_login(factories.user(is_staff=True))
    answer = client.post("/projects/new/", BIRD | COLOUR | change)
    assert answer.status_code == 422
    assert answer.content.decode().count(sentence) == 1
    assert not Project.objects.exists()


def test_the_form_offers_one_more_question_at_a_time(client: Client) -> None:
    client.force_login(factories.user(is_staff=True))
    assert "further-0-prompt" in client.get("/projects/new/question/").content.decode()
    page = client.get("/projects/new/question/", {"further-0-prompt": ""}).content.decode()
    assert "further-1-prompt" in page
    assert "further-0-prompt" not in page


def test_a_manager_adds_a_question_and_answered_images_come_again_for_it_only(client: Client) -> None:
    project = factories.project(holdout_queue_share=0.0)
    ann, ben = factories.member(project), factories.member(project)
    item = factories.item(project)
    say(ann, item, project.questions.get(), "cat")
    assert asked(project, ben, item) == []

    client.force_login(factories.member(project, Membership.Role.MANAGER))
    address = f"/projects/{project.slug}/questions/"
    assert "What is it?" in client.get(address).content.decode()
    refused = client.post(address, {"prompt": "Big?", "labels": "yes", "key": ""})
    assert "A question needs at least two labels" in refused.content.decode()
    assert client.post(address, {"prompt": "Big?", "labels": "yes\nno", "key": ""}).status_code == 302

    # Whoever it is: the answer to the first question stands, whoever gave it.
    assert asked(project, ben, item) == ["big"]
    big = project.questions.get(key="big")
    say(ben, item, big, "no")
    item.refresh_from_db()
    assert (item.open, Lease.objects.count()) == (False, 0)
    assert {c.label.name: c.answers for c in Consensus.objects.select_related("label")} == {"cat": 1, "no": 1}


def test_one_person_answers_all_questions_under_one_lease_and_is_then_done() -> None:
    project, what, colour = two_questions()
    ann, ben = factories.member(project), factories.member(project)
    item = factories.item(project)
    assert asked(project, ann, item) == ["label", "colour"]
    say(ann, item, what, "cat")
    assert asked(project, ann, item) == ["colour"]
    assert asked(project, ben, item) == []
    say(ann, item, colour, None)
    assert Lease.objects.count() == 0
    item.refresh_from_db()
    assert (item.open, item.answers) == (True, 0)
    assert asked(project, ann, item) == []
    assert asked(project, ben, item) == ["colour"]


def test_each_question_gets_as_many_people_as_the_project_asks() -> None:
    project, what, colour = two_questions(overlap=2)
    people = [factories.member(project) for _ in range(3)]
    item = factories.item(project)
    for who in people[:2]:
        say(who, item, what, "cat")
    say(people[0], item, colour, "grey")
    item.refresh_from_db()
    assert (item.open, item.answers) == (True, 1)
    assert asked(project, people[0], item) == []
    assert asked(project, people[2], item) == ["colour"]
    say(people[2], item, colour, "grey")
    item.refresh_from_db()
    assert (item.open, item.answers) == (False, 2)
    project_update(project=project, overlap=3)
    assert asked(project, people[2], item) == ["label"]


def test_an_undo_takes_back_the_one_answer_and_reopens_the_item() -> None:
    project, what, colour = two_questions()
    ann, item = factories.member(project), factories.item(project)
    lease_items(project=project, annotator=ann, count=1)
    say(ann, item, what, "cat")
    last = say(ann, item, colour, "grey")
    annotation_undo(project=project, annotator=ann, uuid=uuid4(), undoes=last.uuid)
    item.refresh_from_db()
    assert (item.open, Lease.objects.get().annotator) == (True, ann)
    assert asked(project, ann, item) == ["colour"]
    assert Consensus.objects.get().question == what


def test_an_answer_remembers_only_the_suggestion_to_its_own_question() -> None:
    project, what, colour = two_questions()
    ann, item = factories.member(project), factories.item(project)
    cat, brown = what.labels.get(name="cat"), colour.labels.get(name="brown")
    queue_swap(
        project=project,
        entries=[RankedItem(item.pk, 0.9, cat.pk, 0.7, {colour.pk: (brown.pk, 0.6)})],
        round_number=1,
        strategy="margin",
        reason="",
        model_digest="",
        through_annotation=0,
    )
    [lease] = lease_items(project=project, annotator=ann, count=1)
    assert lease.others == {str(colour.pk): [brown.pk, 0.6]}
    assert say(ann, item, colour, "grey").suggestion == brown
    assert say(ann, item, what, "dog").suggestion == cat


def test_counts_are_by_question() -> None:
    project, what, colour = two_questions()
    ann, items = factories.member(project), [factories.item(project) for _ in range(3)]
    say(ann, items[0], what, "cat")
    say(ann, items[0], colour, "grey")
    say(ann, items[1], colour, "grey")
    counts = label_counts(project)
    assert (counts.given, counts.wanted, counts.pool_wanted) == (3, 6, 6)
    assert counts.per_question == [
        ("What is it?", [("cat", 1), ("dog", 0)]),
        ("Which colour?", [("grey", 2), ("brown", 0)]),
    ]


def test_there_is_an_end_to_questions() -> None:
    project = factories.project()
    for number in range(19):
        question_add(project=project, prompt=f"Question {number}?", labels=["yes", "no"])
    with pytest.raises(ValidationError, match="at most 20 questions"):
        question_add(project=project, prompt="One more?", labels=["yes", "no"])
    assert len(set(project.questions.values_list("key", flat=True))) == 20
