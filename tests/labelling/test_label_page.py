"""The annotator's page in a real Chromium, on a real server."""

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from labelling.models import Annotation, Item, Label, Lease, Project, User
from labelling.selectors import standing
from labelling.services.questions import question_add
from labelling.services.queue import RankedItem, queue_swap
from tests import factories

PASSWORD = "correct horse battery"
expect.set_options(timeout=20_000)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.set_default_timeout(10_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if "Content Security" in said.text else None)
    yield page
    assert errors == []
    context.close()


def open_page(page: Page, live_server: LiveServer, project: Project, user: User) -> None:
    page.goto(f"{live_server.url}/projects/{project.slug}/label/", timeout=90_000)  # loads all of it
    page.fill("input[name=username]", user.username)
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    expect(page.locator("#stage")).to_have_attribute("data-state", "asking")


def current(page: Page) -> int:
    """The item that is asked; waits for it where the next ones are still on their way."""
    stage = page.locator("#stage")
    expect(stage).to_have_attribute("data-item", re.compile("[1-9]"))
    return int(stage.get_attribute("data-item") or 0)


def said(project: Project) -> dict[int, str]:
    found = standing().filter(project=project).select_related("label")
    return {one.item_id: one.label.name if one.label else "" for one in found}


def saved(page: Page, number: int) -> None:
    expect(page.locator('#history li[data-state="saved"]')).to_have_count(number)


@pytest.mark.django_db(transaction=True)
def test_a_digit_is_on_its_own_key(live_server: LiveServer, page: Page) -> None:
    project = factories.project(labels=("0", "1", "7"), holdout_queue_share=0.0)
    shown = [factories.item(project) for _ in range(2)]
    open_page(page, live_server, project, factories.member(project))
    first = current(page)
    page.keyboard.press("2")  # nothing has it
    page.keyboard.press("7")
    saved(page, 1)
    assert first in [item.pk for item in shown]
    assert said(project) == {first: "7"}


@pytest.mark.django_db(transaction=True)
def test_what_is_undone_stays_next_whatever_a_request_said(live_server: LiveServer, page: Page) -> None:
    project = factories.project(holdout_queue_share=0.0)
    items = {factories.item(project).pk for _ in range(8)}
    open_page(page, live_server, project, factories.member(project))
    page.keyboard.press("1")
    saved(page, 1)
    second = current(page)
    late: list[Route] = []
    page.route("**/leases", lambda route: late.append(route))
    page.keyboard.press("1")  # and more images are asked for
    saved(page, 2)
    answer = late[0].fetch()  # by now the server knows both as answered
    for _ in range(2):
        page.keyboard.press("z")
    assert current(page) in items - {second}
    with page.expect_response("**/leases"):
        late[0].fulfill(response=answer)
    page.keyboard.press("1")
    assert current(page) == second


@pytest.mark.django_db(transaction=True)
def test_labels_skips_and_undoes_by_keyboard(live_server: LiveServer, page: Page) -> None:
    project = factories.project(holdout_queue_share=0.0)
    for _ in range(8):
        factories.item(project)
    open_page(page, live_server, project, factories.member(project))
    # Blown up to squares a tiny image cannot be read: it is smoothed, and stays at arm's length.
    assert page.locator("#item-image").evaluate("i => i.clientWidth") <= 320
    seen = []
    for key in ("1", "2", "s", "2"):
        seen.append(current(page))
        page.keyboard.press(key)
        expect(page.locator("#stage")).not_to_have_attribute("data-item", str(seen[-1]))
    saved(page, 4)
    assert said(project) == dict(zip(seen, ("cat", "dog", "", "dog"), strict=True))
    expect(page.locator("#done")).to_have_text("3")

    fifth = current(page)
    page.keyboard.press("z")
    expect(page.locator("#stage")).to_have_attribute("data-item", str(seen[3]))
    page.keyboard.press("1")
    expect(page.locator("#stage")).to_have_attribute("data-item", str(fifth))
    page.keyboard.press("Control+z")
    page.keyboard.press("Backspace")
    expect(page.locator("#stage")).to_have_attribute("data-item", str(seen[2]))
    saved(page, 2)
    page.keyboard.press("1")
    expect(page.locator("#stage")).to_have_attribute("data-item", str(seen[3]))
    saved(page, 3)
    assert said(project) == {seen[0]: "cat", seen[1]: "dog", seen[2]: "cat"}
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 360, f"the page is {width} px wide on a screen of 360"

    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    assert current(page) == seen[3]


@pytest.mark.django_db(transaction=True)
def test_enter_accepts_the_suggestion_and_a_dry_queue_says_so(live_server: LiveServer, page: Page) -> None:
    project = factories.project(holdout_queue_share=0.0)
    item, blind = factories.item(project), factories.item(project, split=Item.Split.HOLDOUT)
    dog = Label.objects.get(question__project=project, name="dog")
    queue_swap(
        project=project,
        entries=[RankedItem(item.pk, 0.5, dog.pk, 0.81)],
        round_number=1,
        strategy="margin",
        reason="",
        model_digest="",
        through_annotation=0,
    )
    open_page(page, live_server, project, factories.member(project))
    expect(page.locator("#suggestion")).to_contain_text("dog")
    page.keyboard.press("Enter")
    expect(page.locator("#stage")).to_have_attribute("data-item", str(blind.pk))
    expect(page.locator("#suggestion")).to_be_hidden()
    page.keyboard.press("Enter")
    page.locator(".choice", has_text="cat").click()
    expect(page.locator("#stage-text")).to_contain_text("nothing to label right now")
    saved(page, 2)
    assert said(project) == {item.pk: "dog", blind.pk: "cat"}
    late = factories.item(project)
    expect(page.locator("#stage")).to_have_attribute("data-item", str(late.pk))


@pytest.mark.django_db(transaction=True)
def test_answers_survive_an_unreachable_server_and_a_reload(live_server: LiveServer, page: Page) -> None:
    project = factories.project(holdout_queue_share=0.0)
    for _ in range(9):
        factories.item(project)
    open_page(page, live_server, project, factories.member(project))
    down = True

    def answer(route: Route) -> None:
        if down:
            route.abort()
        else:
            route.continue_()

    page.route("**/annotations", answer)
    seen = []
    for key in ("1", "2", "1"):
        seen.append(current(page))
        page.keyboard.press(key)
        expect(page.locator("#stage")).not_to_have_attribute("data-item", str(seen[-1]))
    expect(page.locator("#trouble")).to_contain_text("3 answers not saved yet; retrying")
    assert not Annotation.objects.exists()
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(page.locator("#trouble")).to_contain_text("3 answers not saved yet; retrying")
    expect(page.locator("#stage")).to_have_attribute("data-state", "asking")
    assert current(page) not in seen
    down = False
    expect(page.locator("#trouble")).to_be_hidden()
    # The trouble is over with the first of them; the others follow at once.
    deadline = time.monotonic() + 20
    while Annotation.objects.count() < 3 and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    assert said(project) == dict(zip(seen, ("cat", "dog", "cat"), strict=True))


@pytest.mark.django_db(transaction=True)
def test_an_expired_session_keeps_the_answers_and_links_to_the_sign_in(
    live_server: LiveServer, page: Page
) -> None:
    project = factories.project(holdout_queue_share=0.0)
    for _ in range(4):
        factories.item(project)
    user = factories.member(project)
    open_page(page, live_server, project, user)
    page.context.clear_cookies(name="sessionid")
    first = current(page)
    page.keyboard.press("2")
    expect(page.locator("#trouble-login")).to_be_visible()
    with page.context.expect_page() as opened:
        page.click("#trouble-login")
    login = opened.value
    login.fill("input[name=username]", user.username)
    login.fill("input[name=password]", PASSWORD)
    login.press("input[name=password]", "Enter")
    login.wait_for_url("**/label/")
    login.close()
    expect(page.locator("#trouble")).to_be_hidden(timeout=20_000)
    assert said(project) == {first: "dog"}


@pytest.mark.django_db(transaction=True)
def test_two_people_never_see_the_same_image(live_server: LiveServer, page: Page, browser: Browser) -> None:
    project = factories.project(holdout_queue_share=0.0)
    for _ in range(20):
        factories.item(project)
    open_page(page, live_server, project, factories.member(project))
    context = browser.new_context()
    other = context.new_page()
    open_page(other, live_server, project, factories.member(project))
    mine: list[int] = []
    theirs: list[int] = []
    for _ in range(6):
        for who, seen in ((page, mine), (other, theirs)):
            seen.append(current(who))
            who.keyboard.press("1")
            expect(who.locator("#stage")).not_to_have_attribute("data-item", str(seen[-1]))
    saved(page, 6)
    saved(other, 6)
    assert not set(mine) & set(theirs)
    assert len(set(mine)) == len(set(theirs)) == 6
    assert Lease.objects.filter(project=project).exists()
    context.close()


@pytest.mark.django_db(transaction=True)
def test_all_questions_of_an_image_are_answered_on_one_page(live_server: LiveServer, page: Page) -> None:
    project = factories.project(holdout_queue_share=0.0)
    colour = factories.question(project, "colour", "Which colour?", ("grey", "brown"))
    for _ in range(3):
        factories.item(project)
    open_page(page, live_server, project, factories.member(project))
    what_part, colour_part = page.locator(".question").all()

    def states() -> list[str | None]:
        return [part.get_attribute("data-state") for part in (what_part, colour_part)]

    def answers() -> dict[tuple[int, str], str]:
        found = standing().filter(project=project).select_related("label", "question")
        return {(one.item_id, one.question.key): one.label.name if one.label else "" for one in found}

    first = current(page)
    assert states() == ["current", "waiting"]
    page.keyboard.press("2")
    expect(colour_part).to_have_attribute("data-state", "current")
    assert states() == ["answered", "current"]
    expect(what_part.locator(".answered")).to_have_text("dog")
    assert current(page) == first
    # Undo takes back the last answer, not the whole image.
    page.keyboard.press("z")
    expect(what_part).to_have_attribute("data-state", "current")
    page.keyboard.press("1")
    page.keyboard.press("2")
    expect(page.locator("#stage")).not_to_have_attribute("data-item", str(first))
    # Back over the edge of an image: its last question is open again, the other one stays answered.
    second = current(page)
    page.keyboard.press("z")
    expect(page.locator("#stage")).to_have_attribute("data-item", str(first))
    assert states() == ["answered", "current"]
    page.keyboard.press("1")
    expect(page.locator("#stage")).to_have_attribute("data-item", str(second))
    # The mouse may answer in any order; a skip is of the marked question only.
    colour_part.locator(".choice", has_text="brown").click()
    assert states() == ["current", "answered"]
    page.keyboard.press("s")
    expect(page.locator("#stage")).not_to_have_attribute("data-item", str(second))
    saved(page, 4)
    expected = {(first, "label"): "cat", (first, "colour"): "grey"}
    expected |= {(second, "label"): "", (second, "colour"): "brown"}
    assert answers() == expected
    assert page.evaluate("document.documentElement.scrollWidth") <= 360

    # A question that is added now reaches the open page by itself.
    question_add(project=project, prompt="Is it big?", labels=["yes", "no"])
    for _ in range(2):
        page.keyboard.press("1")
    expect(page.locator(".question")).to_have_count(3)
    expect(page.locator(".question[data-state=current] legend")).to_contain_text("Is it big?")
    assert colour.labels.count() == 2
