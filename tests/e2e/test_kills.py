"""A worker, then the web server, is killed in the middle of its work: nothing is lost, nothing doubled."""

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import ParamSpec, TypeVar
from uuid import uuid4

import psutil
import psycopg
import pytest

from labelling.management.visitor import VisitFailed, Visitor
from tests.e2e.database import KNOWS_ALL, ask, count, eventually
from tests.e2e.digits import digits_stack
from tests.e2e.stack import Stack

P = ParamSpec("P")
R = TypeVar("R")

# Whoever comes first makes the demo, and the others wait for it.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with digits_stack("--front") as running:
        yield running


class Person:
    """An annotator who, like the page, sends an answer again under the same UUID until it is acknowledged."""

    def __init__(self, stack: Stack) -> None:
        self.truth = json.loads((stack.data / "demo" / "digits-truth.json").read_text())
        self.visitor = Visitor(stack.url)
        self.visitor.sign_in("annotator", stack.credentials["annotator"])
        self.page = self.visitor.label_page("digits")
        [self.question] = self.page["questions"]
        self.labels = {label["name"]: label["id"] for label in self.question["labels"]}
        self.acknowledged: dict[str, int] = {}
        self.retries = 0

    def __enter__(self) -> "Person":
        return self

    def __exit__(self, *error: object) -> None:
        self.visitor.close()

    def until_it_answers(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        for _ in range(200):
            try:
                return call(*args, **kwargs)
            except VisitFailed as failed:
                if "answered 4" in str(failed):
                    raise
                self.retries += 1
                time.sleep(0.1)
        raise AssertionError("the web server did not come back")

    def label(self, wanted: int) -> None:
        for _ in range(wanted):
            asked = {"count": 1, "holding": []}
            [item] = self.until_it_answers(self.visitor.post, self.page["next"], asked)["items"]
            image = self.until_it_answers(self.visitor.get, item["image"])
            uuid, label = str(uuid4()), self.labels[self.truth[sha256(image).hexdigest()]]
            answer = {"uuid": uuid, "item": item["item"], "question": self.question["id"], "label": label}
            self.until_it_answers(self.visitor.post, self.page["annotations"], {**answer, "seconds": 1.0})
            self.acknowledged[uuid] = label


def test_a_worker_killed_in_the_middle_of_training_costs_nothing(stack: Stack) -> None:
    with Person(stack) as person:
        person.label(25)
        eventually(stack, KNOWS_ALL)
        for _ in range(2):
            versions = count(stack, "learning_modelversion")
            running = "select count(*) > 0 from learning_trainingrun where state = 'running'"
            person.label(1)
            eventually(stack, running)
            # All of the worker's processes at once, as the out-of-memory killer would.
            os.kill(stack.pids["worker-learning"], signal.SIGKILL)
            assert count(stack, "learning_modelversion") == versions, "killed too late to tell"
            person.label(1)
            eventually(stack, KNOWS_ALL)
            eventually(stack, f"select count(*) > {versions} from learning_modelversion")
        assert count(stack, "learning_trainingrun where state in ('running', 'queued')") == 0
        assert count(stack, "learning_trainingrun where attempt > 1 and state = 'done'") >= 1
        runs = ask(stack, "select count(*) = count(distinct run_id) from learning_modelversion")
        assert runs is True


def test_the_web_server_killed_in_the_middle_of_saving_loses_and_doubles_nothing(stack: Stack) -> None:
    with Person(stack) as person:
        before = count(stack, "labelling_annotation")
        over, kills = threading.Event(), 0

        def kill() -> None:
            nonlocal kills
            # Once it has saved something again: killing what only starts proves nothing.
            saved = len(person.acknowledged)
            while not over.wait(0.1):
                if len(person.acknowledged) < saved + 4:
                    continue
                saved = len(person.acknowledged)
                time.sleep(0.02)  # into the middle of the next one
                with contextlib.suppress(psutil.NoSuchProcess, KeyError):
                    for worker in psutil.Process(stack.pids["web"]).children():
                        worker.kill()
                kills += 1

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            person.label(40)
        finally:
            over.set()
            killer.join()
        assert kills > 4
        assert person.retries == 0, "the front asks again, not the person"
        with psycopg.connect(stack.database_url) as connection:
            stored: dict[str, int] = dict(
                connection.execute(
                    "select uuid::text, label_id from labelling_annotation where uuid = any(%s::uuid[])",
                    [list(person.acknowledged)],
                ).fetchall()
            )
        assert stored == person.acknowledged
        assert count(stack, "labelling_annotation") == before + len(person.acknowledged)
        assert ask(stack, "select count(*) = count(distinct item_id) from labelling_annotation") is True
        eventually(stack, KNOWS_ALL)
