"""Before anybody has labelled an image: a manager writes two rules, and a model comes of them."""

import json
from collections import Counter

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import chromium
from tests.e2e.database import ask, eventually
from tests.e2e.digits import digits_stack

# Whoever comes first makes the demo, and the others wait for it.
pytestmark = pytest.mark.timeout(900)


def write_rule(page: Page, rules: str, name: str, digit: str, examples: list[str]) -> None:
    """Preview it, then save it."""
    page.goto(f"{rules}new/")
    page.fill("[name=name]", name)
    page.select_option("[name=label]", digit)
    page.select_option("[name=c0-kind]", "near")
    page.fill("[name=c0-distance]", "0.6")
    for digest in examples:
        page.check(f"[name=c0-picked][value='{digest}']")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview .figures")).to_contain_text("Coverage")
    expect(page.locator("#preview .thumbs img").first).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".notice-good").first).to_contain_text(f"Rule '{name}' is saved.")


def test_a_manager_writes_rules_and_a_model_is_trained_from_them() -> None:
    with digits_stack() as stack, chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(30_000)
        expect.set_options(timeout=30_000)
        page.goto(stack.url)
        page.fill("input[name=username]", "admin")
        page.fill("input[name=password]", stack.credentials["admin"])
        page.press("input[name=password]", "Enter")
        page.wait_for_url(stack.url + "/")
        page.goto(f"{stack.url}/projects/digits/learner/")
        expect(page.locator("[name=method][value=weak-supervision]")).to_be_disabled()
        page.check("[name=method][value=transfer]")
        page.get_by_role("button", name="Save").click()
        page.get_by_role("link", name="Rules").click()
        rules = page.url
        page.get_by_role("link", name="New rule").click()
        page.wait_for_url(lambda url: url.startswith(f"{rules}new/"))

        truth = json.loads((stack.data / "demo" / "digits-truth.json").read_text())
        shown = [str(box.get_attribute("value")) for box in page.locator("[name=c0-picked]").all()]
        (first, _), (second, _) = Counter(truth[digest] for digest in shown).most_common(2)
        for digit in (first, second):
            examples = [digest for digest in shown if truth[digest] == digit]
            write_rule(page, rules, f"like a {digit}", digit, examples)
        page.get_by_role("button", name="Learn from the rules").click()
        eventually(stack, "select count(*) > 0 from learning_modelversion where method = 'weak-supervision'")

        assert ask(stack, "select count(*) from labelling_annotation") == 0
        expect(page.locator("#rules")).to_contain_text("The model learns from these rules.")
        expect(page.locator(f"[aria-label='Rule like a {first}'] .figures")).to_contain_text("votes on")
        page.goto(f"{stack.url}/projects/digits/models/1/")
        expect(page.locator(".facts")).to_contain_text(f"like a {first}, like a {second}")
