"""Interleaving for annotators: a real browser, real models, and the label given is the vote."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from labelling.models import Annotation, Item, Label, Suggestion, Wanted
from serving.core.team_draft import team_draft
from serving.models import Offer, Rollout
from serving.selectors.evidence import evidence_of
from serving.services.deployments import deployment_promote
from serving.services.offers import offers_make, offers_missing, offers_withdraw
from serving.services.replay import decisions_replay
from serving.tasks import make_offers
from tests import factories
from tests.labelling.answering import answer_all
from tests.serving import trained
from tests.serving.conftest import Service, answers_with, until
from tests.serving.rolled import Rolled, images, rollout

PASSWORD = "correct horse battery"
expect.set_options(timeout=20_000)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 900, "height": 800})
    page = context.new_page()
    page.set_default_timeout(10_000)
    yield page
    context.close()


@pytest.fixture
def rolled(service: Service) -> Rolled:
    """The champion is wrong about every image, the challenger right; forty of the pool are to have a list."""
    project = service.project
    type(project).objects.filter(pk=project.pk).update(holdout_queue_share=0.0)
    worst = trained.version(project, seed=9, taught=(1, 0))
    deployment_promote(project=project, version=worst, actor=factories.user(), reason="A test.")
    until(lambda: answers_with(project, worst))
    for image, truth in images(120, start=3000):
        item = factories.item(project, data=image)
        Item.objects.filter(pk=item.pk).update(metadata={"truth": truth})
    challenger = trained.version(project, seed=2)
    return rollout(service, "interleaving", challenger, min_votes=8, alpha=0.2)


def true_label(item: Item) -> Label:
    return Label.objects.get(question__project=item.project_id, name=item.metadata["truth"])


def test_an_annotators_choice_decides_an_interleaving(
    rolled: Rolled, live_server: LiveServer, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labelling.services.leases.WANTED_SHARE", 0.7)
    project = rolled.service.project
    assert offers_missing() == [rolled.row]
    make_offers()
    assert Offer.objects.count() == 40
    assert offers_missing() == []
    person = factories.member(project)
    page.goto(f"{live_server.url}/projects/{project.slug}/label/", timeout=90_000)
    page.fill("input[name=username]", person.username)
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    chosen = 0
    for _number in range(100):
        stage = page.locator("#stage")
        expect(stage).to_have_attribute("data-state", "asking")
        item = Item.objects.get(pk=int(stage.get_attribute("data-item") or 0))
        listed = page.locator(".proposal")
        if listed.count():
            order = [one.strip() for one in page.locator(".proposal span").all_inner_texts()]
            shown = Suggestion.objects.get(item=item)
            names = dict(Label.objects.values_list("pk", "name"))
            assert order == [names[pk] for pk in shown.labels]
            expect(page.locator("#suggestion")).to_be_hidden()
            if order[0] == item.metadata["truth"]:
                page.keyboard.press("Enter")
            else:
                listed.nth(order.index(item.metadata["truth"])).click()
            chosen += 1
        else:
            page.locator(".choice", has_text=item.metadata["truth"]).click()
        expect(stage).not_to_have_attribute("data-item", str(item.pk))
        if chosen == 12:
            break
    assert chosen == 12
    content = page.content()
    assert not any(word in content.lower() for word in ("champion", "challenger", "rollout"))
    until(lambda: Annotation.objects.exclude(shown_list=None).count() == 12)
    evidence = evidence_of(rolled.row)
    assert (evidence.wins_champion, evidence.wins_challenger) == (0, 12)  # type: ignore[attr-defined]  # interleaving's
    decision = rolled.look()
    assert decision is not None
    assert (decision.action, decision.rule) == ("promote", "better")
    assert decision.evidence["evidence"]["by_annotators"] == 12
    assert all(one.same for one in decisions_replay())
    # What is over is not offered any more.
    offers_withdraw()
    assert not Suggestion.objects.filter(offered=True).exists()
    assert not Wanted.objects.filter(kind=Wanted.Kind.LISTED).exists()
    assert offers_missing() == []


def test_a_draft_can_be_drawn_again_and_each_list_votes_once(rolled: Rolled) -> None:
    offers_make(rollout=rolled.row)
    type(rolled.service.project).objects.update(overlap=2)
    for offer in Offer.objects.all():
        rankings: dict[str, Sequence[str]] = {
            arm: [str(label) for label in of] for arm, of in offer.rankings.items()
        }
        draft = team_draft(rankings, rolled.row.config["length"], np.random.default_rng(offer.seed))
        assert dict(zip(draft.labels, draft.teams, strict=True)) == offer.votes
        assert Suggestion.objects.get(token=offer.pk).labels == [int(label) for label in draft.labels]
    project = rolled.service.project
    project.refresh_from_db()
    for _ in range(2):
        answer_all(project, factories.member(project), true_label)
    listed = Annotation.objects.exclude(shown_list=None)
    lists = listed.values("shown_list").distinct().count()
    assert listed.count() > lists > 0
    evidence = evidence_of(rolled.row)
    assert evidence.by_annotators == lists  # type: ignore[attr-defined]  # interleaving's
    assert {team for offer in Offer.objects.all() for team in offer.votes.values()} == {
        "champion",
        "challenger",
    }


def test_no_list_is_made_while_a_rollout_rests_or_asks_clients_only(rolled: Rolled) -> None:
    offers_make(rollout=rolled.row)
    rolled.act("pause")
    offers_withdraw()
    assert not Wanted.objects.exists()
    assert offers_missing() == []
    rolled.act("resume")
    assert offers_missing() == [rolled.row]
    offers_make(rollout=rolled.row)
    assert Suggestion.objects.filter(offered=True).count() == 40
    Rollout.objects.filter(pk=rolled.pk).update(config={**rolled.row.config, "annotators": False})
    Wanted.objects.all().delete()
    assert offers_missing() == []
