"""An augmentation search by two worker processes: whichever is killed in the middle, it finds the same."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.e2e.database import ask, count, eventually
from tests.e2e.stack import Stack

LABELS = 60
MAKE = f"""
from django.db import transaction
from tests.factories import user
from tests.learning.digits import digits_project, label_items
with transaction.atomic():
    project, truth = digits_project(100)
    label_items(project, truth, {LABELS}, person=user("labeller"))
"""
# The same labels, seed and rivals; what a search before this one has found is out of the way.
SEARCH = """
from labelling.models import Project
from learning.models import AugmentationPolicy, Learner
from learning.services.policy_search import policy_search_request
AugmentationPolicy.objects.all().delete()
Learner.objects.update(augmentation="views")
config = {"trials": 12, "together": 4, "seed": 5, "child": {"looked_at": 1000}}
policy_search_request(project=Project.objects.get(), config=config)
"""
NEWEST = "(select max(id) from learning_policysearch)"
TRIALS = f"learning_policytrial where search_id = {NEWEST}"
DONE = f"select state not in ('queued', 'running') from learning_policysearch where id = {NEWEST}"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with (
        TemporaryDirectory(prefix="quern-e2e-") as folder,
        Stack(Path(folder) / "data", demo="none") as running,
    ):
        running.manage("shell", "-v", "0", "-c", MAKE)
        eventually(running, "select count(*) > 0 from learning_learner")
        yield running


def in_the_middle(judged: int) -> str:
    return f"""
        select count(*) filter (where reward is not null) > {judged}
           and count(*) filter (where reward is null and claimed_at is not null) > 1
        from {TRIALS}
    """


def found(stack: Stack) -> tuple[object, object]:
    """Each trial with its reward, and the verdict, once the search is over."""
    eventually(stack, DONE, seconds=270)
    newest = f"from learning_policysearch where id = {NEWEST}"
    assert ask(stack, f"select state || error {newest}") == "done"
    rows = "string_agg(concat_ws('|', number, kind, candidate, policy, seed, reward), ' ' order by number)"
    return ask(stack, f"select {rows} from {TRIALS}"), ask(stack, f"select verdict::text {newest}")


def attempts(stack: Stack) -> object:
    return ask(stack, f"select attempt from learning_policysearch where id = {NEWEST}")


@pytest.mark.timeout(900)
def test_killing_either_worker_in_the_middle_of_a_search_changes_nothing_it_finds(stack: Stack) -> None:
    stack.manage("shell", "-v", "0", "-c", SEARCH)
    calm = found(stack)
    assert attempts(stack) == 1

    stack.manage("shell", "-v", "0", "-c", SEARCH)
    judged = 0
    # First the one that only judges, then the one that leads the search too.
    for worker in ("worker-learning", "worker-embedding"):
        eventually(stack, in_the_middle(judged + 2))
        judged = count(stack, f"{TRIALS} and reward is not null")
        os.kill(stack.pids[worker], signal.SIGKILL)
    assert found(stack) == calm
    # What was judged before was not judged again, and none is missing or doubled.
    assert count(stack, f"{TRIALS} and reward is null") == 0
    assert count(stack, TRIALS) > judged
    assert attempts(stack) == 2
