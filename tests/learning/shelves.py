"""Digits that lie on shelves, mostly the one of their own digit; rules that go by the shelf."""

from typing import Any

import numpy as np

from labelling.models import Item, Project
from learning.models import Learner, Rule, RuleCheck
from learning.services.rule_checks import check_do
from learning.services.rule_contents import content_of_conditions
from learning.services.rules import rule_create
from learning.services.work import works_to_send
from tests.learning.digits import DIGITS, digits_project, embed_all, learner_of


def shelves(count: int = 300, wrong: float = 0.25) -> tuple[Project, dict[int, str], Learner]:
    """The project, the true label of each item, and the learner. `wrong`: share of items put anywhere."""
    project, truth = digits_project(count)
    embed_all()
    rng = np.random.default_rng(0)
    for pk, digit in truth.items():
        shelf = str(rng.integers(10)) if rng.random() < wrong else digit
        Item.objects.filter(pk=pk).update(metadata={"shelf": f"shelf {shelf}"})
    return project, truth, learner_of(project)


def on_shelf(shelf: str) -> dict[str, Any]:
    return {"kind": "metadata", "field": "shelf", "operator": "=", "value": f"shelf {shelf}"}


def write(learner: Learner, name: str, label: str, *when: dict[str, Any]) -> Rule:
    content = content_of_conditions(learner=learner, name=name, label=label, when=when)
    return rule_create(learner=learner, content=content)


def write_shelves(learner: Learner, digits: tuple[str, ...] = DIGITS) -> list[Rule]:
    return [write(learner, f"shelf {digit}", digit, on_shelf(digit)) for digit in digits]


def checked() -> RuleCheck:
    """The one check that waits for a worker, done."""
    (pk,) = works_to_send(RuleCheck)
    assert check_do(check_id=pk)
    return RuleCheck.objects.get(pk=pk)
