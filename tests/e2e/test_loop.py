"""The product's one sentence, lived through in a real browser: label, watch it learn, predict."""

import hashlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urljoin
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.database import KNOWS_ALL, ask, eventually
from tests.e2e.digits import digits_stack
from tests.e2e.stack import Stack

SHOTS = Path(__file__).parent / "shots"
LABELS = 30

# Whoever comes first makes the demo, and the others wait for it.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with digits_stack() as running:
        yield running


def sign_in(browser: Browser, stack: Stack, name: str) -> Page:
    page = browser.new_page(viewport={"width": 1280, "height": 860})
    page.set_default_timeout(30_000)
    page.goto(stack.url)
    page.fill("input[name=username]", name)
    page.fill("input[name=password]", stack.credentials[name])
    page.press("input[name=password]", "Enter")
    page.wait_for_url(stack.url + "/")
    return page


def label_current(page: Page, truth: dict[str, str]) -> str:
    """Press the key of the image on show; return its URL once the next one is there."""
    image = page.locator("#picture img")
    url = image.get_attribute("src")
    assert url
    name = truth[hashlib.sha256(page.request.get(urljoin(page.url, url)).body()).hexdigest()]
    page.keyboard.press(name)
    expect(image).not_to_have_attribute("src", url)
    return url


def accuracy(page: Page) -> tuple[float, ...] | None:
    """The accuracy on show and its interval, which more labels narrow even where it stays 1."""
    found = page.locator("[data-accuracy]").first
    names = ("data-accuracy", "data-low", "data-high")
    return tuple(float(found.get_attribute(of) or "nan") for of in names) if found.count() else None


def until(page: Page, holds: str, arg: object = None) -> None:
    """As `wait_for_function`, which from its second look on evaluates in the page, what ours forbids."""
    deadline = time.monotonic() + 30
    while not page.evaluate(holds, arg):
        assert time.monotonic() < deadline, f"{holds} does not come true"
        time.sleep(0.1)


def call(url: str, body: bytes, **headers: str) -> tuple[int, Any]:
    request = Request(url, body, {name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)


def test_a_person_labels_a_model_learns_and_a_client_gets_predictions(stack: Stack, browser: Browser) -> None:
    SHOTS.mkdir(exist_ok=True)
    page = sign_in(browser, stack, "annotator")
    truth = json.loads((stack.data / "demo" / "digits-truth.json").read_text())

    page.goto(f"{stack.url}/projects/digits/label/")
    expect(page.locator("#picture img")).to_be_visible()
    before = ask(stack, "select generation from labelling_queue")
    seen = [label_current(page, truth) for _ in range(LABELS - 1)]
    # One of the answers is taken back with z, and given again.
    page.keyboard.press("z")
    expect(page.locator("#picture img")).to_have_attribute("src", seen[-1])
    label_current(page, truth)
    seen.append(label_current(page, truth))
    eventually(stack, f"select count(*) = {LABELS} from labelling_consensus")
    assert len(set(seen)) == LABELS

    # The queue is ranked by the model that has read all of it.
    eventually(stack, KNOWS_ALL)
    assert ask(stack, "select generation from labelling_queue") != before
    # It now proposes a label, except on the items of the blind hold-out.
    page.reload()
    expect(page.locator("#picture img")).to_be_visible()
    for _ in range(12):
        label_current(page, truth)
        if page.locator("#suggestion").is_visible():
            break
    expect(page.locator("#suggestion")).to_be_visible()
    page.screenshot(path=SHOTS / "label.png")
    eventually(stack, KNOWS_ALL)

    page.goto(f"{stack.url}/projects/digits/")
    expect(page.locator("[data-accuracy]").first).to_be_visible()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    early = accuracy(page)
    points = page.evaluate("document.querySelector('.js-plotly-plot').data.map(t => t.x.length)")

    # More labels, by the simulated annotators through the same pages: the open page moves by itself.
    stack.manage("simulate", "digits", "--labels", "170", "--url", stack.url)
    eventually(stack, KNOWS_ALL)
    deadline = time.monotonic() + 20
    while (late := accuracy(page)) is None or late[0] < 0.85 or late == early:
        assert time.monotonic() < deadline, f"the page shows {late}, before {early}"
        time.sleep(0.2)
    until(
        page, "n => document.querySelector('.js-plotly-plot').data.some((t, i) => t.x.length > n[i])", points
    )
    page.screenshot(path=SHOTS / "project.png", full_page=True)
    # A telephone that is turned: the plot is redrawn, and keeps to its place.
    page.set_viewport_size({"width": 380, "height": 800})
    until(page, "document.querySelector('.js-plotly-plot .main-svg').getBoundingClientRect().width < 380")
    high = page.evaluate(
        "['.js-plotly-plot', '.js-plotly-plot .main-svg'].map(of =>"
        " document.querySelector(of).getBoundingClientRect().height)"
    )
    assert high[0] == high[1] == 280

    # A REST client, with the key that `up` printed.
    key = stack.credentials["api_key"]
    some = next(p for p in sorted((stack.data / "demo" / "digits").glob("*.png")))
    api = f"{stack.url}/api/v1/projects/digits"
    status, answer = call(
        f"{api}/predict", some.read_bytes(), Authorization=f"Bearer {key}", Content_Type="image/png"
    )
    assert status == 200, answer
    [prediction] = answer["predictions"]
    probabilities = [label["probability"] for label in prediction["labels"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert 0 < sum(probabilities) <= 1.000_01
    said = truth[hashlib.sha256(some.read_bytes()).hexdigest()]
    feedback = f"{api}/predictions/{prediction['id']}/feedback"
    body = json.dumps({"label": said}).encode()
    for expected in (201, 200):
        status, answer = call(feedback, body, Authorization=f"Bearer {key}", Content_Type="application/json")
        assert status == expected, answer
    assert call(f"{api}/predict", some.read_bytes(), Content_Type="image/png")[0] == 401


def test_an_administrator_promotes_another_version_and_clients_get_it_within_a_second(
    stack: Stack, browser: Browser
) -> None:
    api = f"{stack.url}/api/v1/projects/digits/predict"
    image = next((stack.data / "demo" / "digits").glob("*.png")).read_bytes()
    key = stack.credentials["api_key"]

    def version() -> int:
        status, answer = call(api, image, Authorization=f"Bearer {key}", Content_Type="image/png")
        assert status == 200, answer
        return int(answer["model"]["version"])

    serving = version()
    page = sign_in(browser, stack, "admin")
    page.goto(f"{stack.url}/projects/digits/deployment/")
    page.locator("summary", has_text="Promote").last.click()
    button = page.locator("button", has_text="Yes, promote version").last
    other = int(re.sub(r"\D", "", button.inner_text()))
    assert other != serving
    button.click()
    expect(page.locator(".notice-good").first).to_be_visible()
    page.screenshot(path=SHOTS / "deployment.png", full_page=True)
    time.sleep(1.0)
    # Many calls, so that every web process answers some.
    assert {version() for _ in range(20)} == {other}


def test_a_manager_tries_a_version_and_it_is_promoted_by_what_clients_report(
    stack: Stack, browser: Browser
) -> None:
    """The champion is the pinned version of the test before, of few labels; the newest has many."""
    page = sign_in(browser, stack, "admin")
    page.goto(f"{stack.url}/projects/digits/rollouts/")
    page.get_by_role("link", name="New rollout").click()
    newest = str(page.locator("#challenger option").nth(1).get_attribute("value"))
    page.select_option("#challenger", newest)
    page.check("[name=mode][value=interleaving]")
    page.get_by_text("Settings of Interleaving").click()
    page.fill("[name=interleaving-min_votes]", "20")
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#state")).to_have_text("running")
    expect(page.get_by_role("button", name="Roll back")).to_be_visible()
    eventually(stack, "select count(*) > 0 from serving_decision where rule = 'few-votes'")
    expect(page.locator("#waits-for")).to_contain_text("Waits for choices", timeout=10_000)

    key = stack.credentials["api_key"]
    api = f"{stack.url}/api/v1/projects/digits"
    truth = json.loads((stack.data / "demo" / "digits-truth.json").read_text())
    time.sleep(1.0)  # every web process has the challenger by then
    for path in sorted((stack.data / "demo" / "digits").glob("*.png")):
        if page.locator("#state").inner_text() != "running":
            break
        image = path.read_bytes()
        headers = {"Authorization": f"Bearer {key}"}
        status, answer = call(f"{api}/predict", image, **headers, Content_Type="image/png")
        assert status == 200, answer
        [prediction] = answer["predictions"]
        said = json.dumps({"label": truth[hashlib.sha256(image).hexdigest()]}).encode()
        feedback = f"{api}/predictions/{prediction['id']}/feedback"
        assert call(feedback, said, **headers, Content_Type="application/json")[0] == 201
    eventually(stack, "select count(*) > 0 from serving_rollout where state = 'promoted'")
    expect(page.locator("#state")).to_have_text("promoted", timeout=10_000)
    expect(page.locator("#waits-for")).to_contain_text("The challenger is better")
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    assert page.get_by_role("button", name="Roll back").count() == 0
    page.screenshot(path=SHOTS / "rollout.png", full_page=True)
    status, answer = call(f"{api}/predict", image, **headers, Content_Type="image/png")
    assert answer["model"]["version"] == int(newest)
    assert "come out the same" in stack.manage("decisions_replay", "digits").stdout
