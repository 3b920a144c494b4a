from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from labelling.models import Consensus, Item, Label, Membership, Project, Question, Queue, QueueEntry
from labelling.services.annotations import annotation_record
from labelling.services.projects import project_create, project_update, slug_for
from tests import factories

pytestmark = pytest.mark.django_db

GOOD = {
    "name": "Garden birds",
    "prompt": "Which bird?",
    "labels": "tit\nrobin\n\n wren ",
    "overlap": "2",
    "holdout_share": "12.5",
}


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(factories.user(is_staff=True))
    return client


def test_a_project_comes_with_its_question_its_labels_in_order_a_queue_and_a_manager(staff: Client) -> None:
    response = staff.post("/projects/new/", GOOD)

    project = Project.objects.get(slug="garden-birds")
    assert response["Location"] == "/projects/garden-birds/imports/"
    assert (project.overlap, project.holdout_share) == (2, 0.125)
    question = Question.objects.get(project=project)
    assert (question.key, question.prompt) == ("label", "Which bird?")
    assert list(Label.objects.filter(question=question).values_list("name", "position")) == [
        ("tit", 0),
        ("robin", 1),
        ("wren", 2),
    ]
    assert Queue.objects.filter(project=project).exists()
    assert Membership.objects.get(project=project).role == "manager"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": " "}, "Give the project a name."),
        ({"prompt": ""}, "Write the question that is asked of every image."),
        ({"labels": "only"}, "A question needs at least two labels: write one a line."),
        ({"labels": "cat\ndog\ncat"}, "&#x27;cat&#x27; stands there twice: write each label once."),
        ({"labels": "\n".join(map(str, range(1001)))}, "1001 labels are too many: 1000 at most."),
        ({"labels": "cat\n" + "x" * 101}, "is longer than 100 characters: shorten it."),
        ({"overlap": "0"}, "At least one person answers each image."),
        ({"overlap": "two"}, "Say how many people answer each image with a whole number from 1 to 20."),
        ({"holdout_share": "91"}, "It cannot be more than 90%."),
        ({"holdout_share": "nan"}, "Write the hold-out as a number of percent, such as 20."),
    ],
)
def test_each_mistake_is_answered_with_one_sentence_and_what_was_typed_stays(
    staff: Client, change: dict[str, str], sentence: str
) -> None:
    response = staff.post("/projects/new/", GOOD | change)

    assert response.status_code == 422
    page = response.content.decode()
    assert page.count(sentence) == 1
    assert page.count('class="errorlist"') == 1
    kept = next(value for field, value in GOOD.items() if field not in change)
    assert kept in page
    assert not Project.objects.exists()


def test_the_same_name_again_gets_an_address_of_its_own(staff: Client) -> None:
    for _ in range(3):
        staff.post("/projects/new/", GOOD)
    slugs = set(Project.objects.values_list("slug", flat=True))
    assert slugs == {"garden-birds", "garden-birds-2", "garden-birds-3"}


def test_an_address_never_collides_with_a_page_and_exists_for_any_script() -> None:
    assert slug_for("New") == "new-2"
    assert slug_for("手書き") == "project"
    with pytest.raises(ValidationError, match="taken by Quern itself"):
        project_create(name="New", slug="new", prompt="?", labels=["a", "b"], manager=None)


def test_all_that_is_wrong_is_said_at_once_and_nothing_is_kept() -> None:
    with pytest.raises(ValidationError) as refusal:
        project_create(name="", slug="birds", prompt="", labels=[], manager=None, overlap=0)
    assert set(refusal.value.message_dict) == {"name", "prompt", "labels", "overlap"}
    assert not Project.objects.exists()


def test_only_staff_make_projects(client: Client) -> None:
    client.force_login(factories.user())
    for response in (client.get("/projects/new/"), client.post("/projects/new/", GOOD)):
        assert response.status_code == 403
        assert "Only staff may make projects" in response.content.decode()
    assert not Project.objects.exists()


def test_settings_are_saved_and_a_mistake_changes_nothing(client: Client) -> None:
    project = factories.project()
    client.force_login(factories.member(project, Membership.Role.MANAGER))
    address = f"/projects/{project.slug}/settings/"
    new = {"name": "Cats", "description": "Big ones.", "overlap": 3, "lease_seconds": 60}

    assert client.post(address, {**new, "holdout_queue_share": "10"}).status_code == 302
    project.refresh_from_db()
    assert (project.name, project.overlap, project.holdout_queue_share) == ("Cats", 3, 0.1)

    refused = client.post(address, {**new, "name": "Dogs", "lease_seconds": 4, "holdout_queue_share": "10"})
    assert "Reserve an image for at least 5 seconds." in refused.content.decode()
    project.refresh_from_db()
    assert project.name == "Cats"


def test_what_the_draw_of_the_hold_out_depends_on_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="fixed when a project is made: holdout_share, seed"):
        project_update(project=factories.project(), seed=1, holdout_share=0.5)


def test_the_list_shows_ones_own_projects_and_counts_both_kinds_of_labels(client: Client) -> None:
    project, other = factories.project(), factories.project()
    client.force_login(factories.member(project))
    assert "No images yet." in client.get("/").content.decode()

    question = Question.objects.get(project=project)
    for split in (Item.Split.POOL, Item.Split.HOLDOUT, Item.Split.POOL):
        item = factories.item(project, split)
        Consensus.objects.create(
            project=project,
            item=item,
            question=question,
            label=question.labels.all()[0],
            answers=1,
            agreement=1,
        )
    factories.item(project)
    page = client.get("/").content.decode()
    assert "<b>3</b>" in page
    assert "of 4 images labelled" in page
    assert other.name not in page


def test_someone_without_a_project_is_told_what_to_do(client: Client) -> None:
    client.force_login(factories.user("newcomer"))
    page = client.get("/").content.decode()
    assert "You are not a member of any project yet" in page
    assert "newcomer" in page


def test_more_people_an_image_asks_answered_items_again_and_fewer_close_them() -> None:
    project = factories.project()
    question = Question.objects.get(project=project)
    answered, fresh = factories.item(project), factories.item(project)

    def answer(item: Item) -> None:
        stale = Project.objects.get(pk=project.pk)
        stale.overlap = 1  # as a request has it that began before the change
        annotation_record(
            project=stale,
            annotator=factories.member(project),
            uuid=uuid4(),
            item=item,
            question=question,
            label=question.labels.all()[0],
            seconds=None,
        )

    def still_open() -> list[int]:
        return list(project.items.filter(open=True).order_by("id").values_list("id", flat=True))

    answer(answered)
    assert still_open() == [fresh.pk]
    project_update(project=project, overlap=2)
    assert still_open() == [answered.pk, fresh.pk]
    answer(fresh)
    assert still_open() == [answered.pk, fresh.pk]
    QueueEntry.objects.create(project=project, generation=0, rank=0, item=fresh, score=1.0)
    project_update(project=project, overlap=1)
    assert still_open() == []
    assert not QueueEntry.objects.filter(project=project).exists()
