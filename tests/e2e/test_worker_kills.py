"""Work that several worker processes share: whichever is killed in the middle, it ends as if none had been.

An augmentation search comes first, then the search of a big pool for what to ask; they share one stack, in
which each has a project of its own beside the demo.
"""

import os
import signal
from collections.abc import Iterator

import psycopg
import pytest

from tests.e2e.database import ask, count, eventually
from tests.e2e.digits import digits_stack
from tests.e2e.stack import Stack

LABELS = 60
DIGITS = f"""
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
config = {"trials": 12, "together": 4, "seed": 5, "child": {"looked_at": 400}, "fixed": ["augmix"]}
policy_search_request(project=Project.objects.get(slug__startswith="project-"), config=config)
"""
LEARNS = """
    select count(*) > 0 from learning_learner l join labelling_project p on p.id = l.project_id
    where p.slug like 'project-%'
"""
NEWEST = "(select max(id) from learning_policysearch)"
TRIALS = f"learning_policytrial where search_id = {NEWEST}"
DONE = f"select state not in ('queued', 'running') from learning_policysearch where id = {NEWEST}"

ITEMS, WIDTH = 25_000, 64
BIG_POOL = f"""
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

WAITING = """
    select count(*) > 0 from pg_stat_activity
    where wait_event_type = 'Lock' and query ilike 'insert into "learning_searchpart"%'
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with digits_stack() as running:
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
    stack.manage("shell", "-v", "0", "-c", DIGITS)
    eventually(stack, LEARNS)
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


def make(stack: Stack, name: str) -> None:
    stack.manage("shell", "-v", "0", "-c", BIG_POOL.replace("NAME", name), timeout=300)


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


def attempts_of_training(stack: Stack, name: str) -> object:
    runs = "select max(attempt) from learning_trainingrun t join labelling_project p on p.id = t.project_id"
    return ask(stack, f"{runs} where p.slug = '{name}'")


def kill_in_the_middle(stack: Stack, name: str, worker: str) -> None:
    """Make a project, and kill the worker when both have begun a part of its search and found nothing."""
    with psycopg.connect(stack.database_url) as parts, psycopg.connect(stack.database_url) as items:
        parts.execute("lock table learning_searchpart in share mode")
        make(stack, name)
        # The run's worker is about to write the parts ...
        eventually(stack, WAITING)
        # ... which will need the items.
        items.execute("lock table labelling_item in access exclusive mode")
        parts.rollback()
        eventually(stack, "select count(*) > 1 from learning_searchpart where claimed_at is not null")
        os.kill(stack.pids[worker], signal.SIGKILL)
        assert count(stack, "learning_searchpart where found is not null") == 0
        items.rollback()


@pytest.mark.timeout(600)
def test_killing_either_worker_in_the_middle_leaves_the_choice_as_it_is(stack: Stack) -> None:
    make(stack, "calm")
    undisturbed = chosen(stack, "calm")
    assert len(set(undisturbed)) == 100
    assert attempts_of_training(stack, "calm") == 1

    kill_in_the_middle(stack, "helper-killed", "worker-embedding")
    assert chosen(stack, "helper-killed") == undisturbed
    # The round did not even have to be begun again.
    assert attempts_of_training(stack, "helper-killed") == 1

    kill_in_the_middle(stack, "owner-killed", "worker-learning")
    assert chosen(stack, "owner-killed") == undisturbed
    assert attempts_of_training(stack, "owner-killed") == 2
    assert count(stack, "learning_search") == 0
