"""A big pool is searched by two worker processes; one is killed in the middle; the choice is the same."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from tests.e2e.database import ask, count, eventually
from tests.e2e.stack import Stack

ITEMS, WIDTH = 50_000, 1024
MAKE = f"""
from django.db import transaction
from learning.models import Learner
from tests.learning.big_pool import big_project
from tests.factories import user
from tests.learning.digits import label_items
with transaction.atomic():
    project, truth = big_project("NAME", {ITEMS}, {WIDTH})
    label_items(project, truth, 60, person=user("NAME"))
    Learner.objects.filter(project=project).update(seed=7)
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with (
        TemporaryDirectory(prefix="quern-e2e-") as folder,
        Stack(Path(folder) / "data", demo="none") as running,
    ):
        yield running


def make(stack: Stack, name: str) -> None:
    stack.manage("shell", "-v", "0", "-c", MAKE.replace("NAME", name), timeout=300)


def chosen(stack: Stack, name: str) -> list[str]:
    """What the first round of a project asked first: items of the same name are the same in all projects."""
    rounds = "select count(*) > 0 from learning_round r join labelling_project p on p.id = r.project_id"
    eventually(stack, f"{rounds} where p.slug = '{name}'", seconds=180)
    names = (
        "select string_agg(i.name, ' ' order by e.place) from learning_round r"
        " join labelling_project p on p.id = r.project_id,"
        " jsonb_array_elements(r.head) with ordinality e(entry, place)"
        " join labelling_item i on i.id = (e.entry ->> 'item')::bigint"
        f" where p.slug = '{name}' and r.number = 1"
    )
    return str(ask(stack, names)).split()


def attempts(stack: Stack, name: str) -> object:
    runs = "select max(attempt) from learning_trainingrun t join labelling_project p on p.id = t.project_id"
    return ask(stack, f"{runs} where p.slug = '{name}'")


def kill_in_the_middle(stack: Stack, worker: str, begun: int) -> None:
    """Kill the worker while at least `begun` parts are begun and not found."""
    at_work = "select count(*) from learning_searchpart where claimed_at is not null and found is null"
    deadline = time.monotonic() + 120
    with psycopg.connect(stack.database_url, autocommit=True) as database:

        def parts() -> int:
            [found] = database.execute(at_work).fetchone() or [0]
            return int(found)

        while time.monotonic() < deadline:
            if parts() < begun:
                continue
            pid = stack.pids[worker]
            os.kill(pid, signal.SIGSTOP)
            # The worker of the run has begun one at most, so the one that stands still has begun the other.
            if parts() >= begun:
                os.kill(pid, signal.SIGKILL)
                return
            os.kill(pid, signal.SIGCONT)
    raise AssertionError("no moment was found in which both workers searched")


def test_killing_either_worker_in_the_middle_leaves_the_choice_as_it_is(stack: Stack) -> None:
    make(stack, "calm")
    undisturbed = chosen(stack, "calm")
    assert len(set(undisturbed)) == 100
    assert attempts(stack, "calm") == 1

    make(stack, "helper-killed")
    kill_in_the_middle(stack, "worker-embedding", begun=2)
    assert chosen(stack, "helper-killed") == undisturbed
    # The round did not even have to be begun again.
    assert attempts(stack, "helper-killed") == 1

    make(stack, "owner-killed")
    kill_in_the_middle(stack, "worker-learning", begun=1)
    assert chosen(stack, "owner-killed") == undisturbed
    assert attempts(stack, "owner-killed") == 2
    assert count(stack, "learning_search") == 0
