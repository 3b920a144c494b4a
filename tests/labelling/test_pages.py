"""What every page has in common, the doors, the pages of failure, and the overview's panel."""

import re

import pytest
from django.test import Client, RequestFactory
from django.views.csrf import csrf_failure
from django.views.defaults import server_error
from pytest_django import DjangoAssertNumQueries

from labelling.models import Consensus, Item, Project, Question
from tests import factories

pytestmark = pytest.mark.django_db


def label(project: Project, name: str, split: str = Item.Split.POOL) -> None:
    question = Question.objects.get(project=project)
    Consensus.objects.create(
        project=project,
        item=factories.item(project, split),
        question=question,
        label=question.labels.get(name=name),
        answers=1,
        agreement=1,
    )


def words(page: bytes) -> str:
    """The page without its line breaks and without the token, which is another one each time."""
    return re.sub(r'"X-CSRFToken": "\w+"|value="\w{64}"', "", " ".join(page.decode().split()))


def test_a_wrong_password_is_told_in_words_and_the_right_one_leads_to_the_page_asked_for(
    client: Client,
) -> None:
    factories.user("olga", "long enough to be safe")
    assert client.get("/projects/new/")["Location"] == "/login/?next=/projects/new/"

    wrong = client.post("/login/", {"username": "olga", "password": "guess"})
    assert "Please enter a correct username and password." in wrong.content.decode()
    right = {"username": "olga", "password": "long enough to be safe"}
    assert client.post("/login/", {**right, "next": "/projects/new/"})["Location"] == "/projects/new/"
    assert client.post("/logout/")["Location"] == "/login/"


def test_the_overview_refreshes_the_panels_of_all_layers_by_itself(client: Client) -> None:
    project = factories.project()
    client.force_login(factories.member(project))
    page = client.get(f"/projects/{project.slug}/").content.decode()
    for panel in ("panel/", "learning/panel/", "serving/panel/"):
        assert f'hx-get="/projects/{project.slug}/{panel}" hx-trigger="load, every 2s"' in page


def test_the_panel_counts_labels_of_both_kinds_and_shows_the_class_balance(client: Client) -> None:
    project = factories.project()
    for name, split in (("cat", "pool"), ("cat", "pool"), ("dog", "holdout")):
        label(project, name, split)
    client.force_login(factories.member(project))
    page = words(client.get(f"/projects/{project.slug}/panel/").content)
    assert "<b>3</b><span>labels so far</span>" in page
    assert "2 of 2" in page
    assert "1 of 1" in page
    assert '<progress class="grain" value="2" max="2" aria-label="cat">' in page
    assert '<progress class="grain" value="1" max="2" aria-label="dog">' in page


def test_of_many_labels_the_panel_shows_the_most_frequent(client: Client) -> None:
    project = factories.project(labels=tuple(f"sign {number}" for number in range(40)))
    label(project, "sign 39")
    client.force_login(factories.member(project))
    page = words(client.get(f"/projects/{project.slug}/panel/").content)
    assert 'aria-label="sign 39"' in page
    assert "The 15 most frequent of 40 labels; 39 have no image yet." in page


def test_a_project_without_images_says_who_brings_them(client: Client) -> None:
    project = factories.project()
    address = f"/projects/{project.slug}/panel/"
    client.force_login(factories.member(project))
    assert "A manager of the project imports them." in words(client.get(address).content)
    client.force_login(factories.member(project, "manager"))
    assert "Import images first." in words(client.get(address).content)


def test_the_panels_cost_does_not_grow_with_the_items_and_it_writes_nothing(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    project = factories.project()
    for _ in range(20):
        label(project, "cat")
    client.force_login(factories.member(project))
    with django_assert_max_num_queries(10) as queries:
        client.get(f"/projects/{project.slug}/panel/")
    assert all(query["sql"].startswith("SELECT") for query in queries.captured_queries)


def test_an_annotator_is_not_shown_the_managers_tabs(client: Client) -> None:
    project = factories.project()
    address = f"/projects/{project.slug}/"
    client.force_login(factories.member(project))
    assert f"{address}members/" not in client.get(address).content.decode()
    client.force_login(factories.member(project, "manager"))
    assert f"{address}members/" in client.get(address).content.decode()


def test_a_stranger_learns_the_same_of_a_project_that_exists_and_of_one_that_does_not(client: Client) -> None:
    project = factories.project()
    client.force_login(factories.user())
    there = client.get(f"/projects/{project.slug}/")
    nowhere = client.get("/projects/nowhere/")
    assert there.status_code == nowhere.status_code == 404
    assert words(there.content).replace(project.slug, "nowhere") == words(nowhere.content)


def test_what_people_typed_is_never_markup(client: Client) -> None:
    project = factories.project(labels=("<b>cat</b>", "dog"), description="<script>alert(1)</script>")
    label(project, "<b>cat</b>")
    client.force_login(factories.member(project, "manager"))
    for page in ("", "panel/", "settings/"):
        text = client.get(f"/projects/{project.slug}/{page}").content.decode()
        assert "<script>alert" not in text
        assert "<b>cat" not in text


def test_the_pages_of_failure_say_what_happened_and_what_to_do(client: Client, rf: RequestFactory) -> None:
    assert "Nothing lives at this address." in client.get("/nothing/here").content.decode()
    # This one is shown when nothing can be relied on: no session, no database.
    assert "The error is in the server's log." in server_error(rf.get("/")).content.decode()
    assert "reload the page and send it again" in csrf_failure(rf.post("/")).content.decode()


def test_pages_load_nothing_from_elsewhere_and_run_no_inline_script(client: Client) -> None:
    project = factories.project()
    client.force_login(factories.member(project, "manager"))
    for page in ("/", f"/projects/{project.slug}/", f"/projects/{project.slug}/members/"):
        text = client.get(page).content.decode()
        assert "http://" not in text
        assert "https://" not in text
        assert "<script>" not in text
        assert " onclick=" not in text
