"""A manager searches for a policy in a real browser: begins, watches the trials come, pauses, uses it."""

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from labelling.models import Membership, Project
from learning.core.augmentation import Applied, Policy
from learning.core.policy_search.session import Trial
from learning.models import AugmentationPolicy, PolicySearch, PretrainingRun
from learning.services import policy_search
from learning.services.learners import learner_update, learners_ensure
from learning.services.policies import policy_keep
from learning.services.policy_search import AskForHelp, policy_search_do
from tests import factories
from tests.learning.digits import digits_project, embed_all, label_items, learner_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1000, "height": 900})
    yield context.new_page()
    context.close()


def signed_in(page: Page, client: Client, live_server: LiveServer, project: Project) -> None:
    client.force_login(factories.member(project, Membership.Role.MANAGER))
    session = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])


def test_a_search_is_watched_until_its_policy_is_used(
    live_server: LiveServer, page: Page, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("learning.core.policy_search.session.FINALIST_SEEDS", 1)
    monkeypatch.setattr("learning.core.policy_search.session.CONFIRMATION_SEEDS", 2)
    project, truth = digits_project(60)
    embed_all()
    label_items(project, truth, 40)
    signed_in(page, client, live_server, project)
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.goto(f"{live_server.url}/projects/{project.slug}/augmentation/")
    page.get_by_label("Trials", exact=True).fill("0")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("The number of trials must be a whole number from 1")
    page.get_by_label("Trials", exact=True).fill("20")
    page.get_by_role("button", name="Search", exact=True).click()
    status = page.locator("#policy-search").get_by_role("status").last
    expect(status).to_contain_text("Waiting for a worker: 0 of ")
    search = PolicySearch.objects.get(project=project)
    config = {**search.config, "child": {**search.config["child"], "looked_at": 64}}
    PolicySearch.objects.filter(pk=search.pk).update(config=config)

    # A worker judges two batches; then the manager pauses.
    judged = policy_search._judged

    def pauses_after_two(search: PolicySearch, batch: list[Trial], ask_for_help: AskForHelp) -> list[float]:
        if (batch[0].number, search.attempt) == (20, 1):
            page.get_by_role("button", name="Pause").click()
            expect(status).to_contain_text("Paused: 20 of ")
        return judged(search, batch, ask_for_help)

    monkeypatch.setattr(policy_search, "_judged", pauses_after_two)
    assert not policy_search_do(search_id=search.pk)
    expect(page.locator("#rewards-words")).to_contain_text("20 trials: the moving average stands at")
    expect(page.locator("#rewards svg").first).to_be_visible()
    best = page.locator("#policy-search figure")
    expect(best).to_have_count(3)
    page.evaluate("Promise.all([...document.querySelectorAll('figure img')].map(one => one.decode()))")
    rewards = [float(found) for found in re.findall(r"([\d.]+)% right", " ".join(best.all_inner_texts()))]
    judged_best = search.trials.filter(kind="search").order_by("-reward").values_list("reward", flat=True)
    assert rewards == [round(100 * float(one or 0), 1) for one in judged_best[:3]]

    page.get_by_role("button", name="Go on").click()
    expect(status).to_contain_text("Waiting for a worker: 20 of ")
    assert policy_search_do(search_id=search.pk)
    page.get_by_role("link", name="Show what was found").click()
    kept = AugmentationPolicy.objects.get(project=project)
    found = page.get_by_role("article", name=kept.name)
    if learner_of(project).augmentation != kept.name:
        found.get_by_role("button", name=f"Use {kept.name}").click()
        expect(page.get_by_text(f"Features that are learned from now on use {kept.name}.")).to_be_visible()
    expect(found.get_by_text("in use", exact=True)).to_be_visible()
    assert learner_of(project).augmentation == kept.name
    assert not broken


def test_a_long_name_fits_a_small_screen(live_server: LiveServer, page: Page, client: Client) -> None:
    project, _ = digits_project(20)
    learners_ensure()
    for name, operation in ((60 * "W", "rotate"), (60 * "M", "invert")):
        policy = Policy(((Applied(operation, 0.5, 0.5),),))
        policy_keep(project=project, policy=policy, name=name, evidence={})
    learner_update(learner=learner_of(project), augmentation=60 * "W")
    signed_in(page, client, live_server, project)
    page.set_viewport_size({"width": 380, "height": 800})
    for part in ("augmentation", "learner"):
        page.goto(f"{live_server.url}/projects/{project.slug}/{part}/")
        expect(page.get_by_text(60 * "W").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 380


def test_what_a_person_opened_stays_open_while_its_part_renews_itself(
    live_server: LiveServer, page: Page, client: Client
) -> None:
    project, _ = digits_project(20)
    learners_ensure()
    config = {"batches": {"vicreg": {"curve": [], "reason": "Batches of 45: the usual."}}}
    PretrainingRun.objects.create(project=project, method="vicreg", seed=0, config=config)
    signed_in(page, client, live_server, project)
    page.goto(f"{live_server.url}/projects/{project.slug}/learner/")
    page.get_by_text("Batch sizes").click()
    for open_now in (True, False):
        for stage in ("epoch 1 of 4", "epoch 2 of 4"):
            PretrainingRun.objects.update(stage=f"VICReg: {stage}")
            expect(page.locator("#pretraining")).to_contain_text(stage)
            expect(page.get_by_text("Batches of 45"), stage).to_be_visible(visible=open_now)
        page.get_by_text("Batch sizes").click()
