"""From a label's POST to the queue reordered by a model that knows it, on a running Quern with 1,797 digits.

One annotator posts a label through the real pages, and the clock runs until the ranking in force has read it.
Then the next label. Beside it: how long the POST and the request for the next items took meanwhile.
"""

import argparse
import json
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import numpy as np
import psycopg

from benchmarks.report import Claim, print_report
from labelling.management.visitor import Visitor
from tests.e2e.stack import Stack

FIRST_LABELS = 20


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loop", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within a minute")
    parser.add_argument("--seeds", type=int, default=3, help="fresh projects, one after the other (3)")
    options = parser.parse_args()
    turns = 15 if options.quick else 60
    reordered: list[float] = []
    posts: list[float] = []
    nexts: list[float] = []
    rounds: list[float] = []
    for _ in range(1 if options.quick else options.seeds):
        with (
            tempfile.TemporaryDirectory(prefix="quern-loop-") as folder,
            Stack(Path(folder) / "data", demo="digits") as stack,
        ):
            wait_for_items(stack)
            stack.manage("simulate", "digits", "--labels", str(FIRST_LABELS), "--url", stack.url)
            took = play(stack, turns)
            reordered += took["reordered"]
            posts += took["post"]
            nexts += took["next"]
            rounds += [float(str(row[0])) for row in rows(stack, "select seconds from learning_round")]
    figures = {
        "POST to reordered queue": reordered,
        "of which the training run": rounds,
        "POST of the label": posts,
        "request for the next items": nexts,
    }
    print_report(
        "loop",
        [
            {
                "what": what,
                "count": len(times),
                "p50 s": round(float(np.quantile(times, 0.5)), 4),
                "p95 s": round(float(np.quantile(times, 0.95)), 4),
                "max s": round(max(times), 4),
            }
            for what, times in figures.items()
        ],
        [
            Claim("label POST to reordered queue, p50", 2.0, float(np.quantile(reordered, 0.5)), "s"),
            Claim("label POST to reordered queue, p95", 2.0, float(np.quantile(reordered, 0.95)), "s"),
        ],
    )


def play(stack: Stack, turns: int) -> dict[str, list[float]]:
    truth = json.loads((stack.data / "demo" / "digits-truth.json").read_text())
    visitor = Visitor(stack.url)
    visitor.sign_in("annotator", stack.credentials["annotator"])
    page = visitor.label_page("digits")
    [question] = page["questions"]
    labels = {label["name"]: label["id"] for label in question["labels"]}
    took: dict[str, list[float]] = {"reordered": [], "post": [], "next": []}
    with psycopg.connect(stack.database_url, autocommit=True) as database:
        for _ in range(turns):
            began = time.monotonic()
            [item] = visitor.post(page["next"], {"count": 1, "holding": []})["items"]
            took["next"].append(time.monotonic() - began)
            name = truth[sha256(visitor.get(item["image"])).hexdigest()]
            uuid = str(uuid4())
            answer = {"uuid": uuid, "item": item["item"], "question": question["id"], "label": labels[name]}
            began = time.monotonic()
            visitor.post(page["annotations"], {**answer, "seconds": 1.0})
            took["post"].append(time.monotonic() - began)
            known = (
                "select queue.through_annotation >= said.id from labelling_queue queue"
                " join labelling_annotation said using (project_id) where said.uuid = %s"
            )
            while database.execute(known, [uuid]).fetchone() != (True,):
                if time.monotonic() - began > 60:
                    raise SystemExit("The queue was not reordered within a minute of a label.")
                time.sleep(0.01)
            took["reordered"].append(time.monotonic() - began)
            # People look at an image for about a second: the next label falls anywhere between two ticks.
            time.sleep(float(np.random.default_rng(len(took["post"])).uniform(0.3, 1.2)))
    visitor.close()
    return took


def wait_for_items(stack: Stack) -> None:
    ready = (
        "select count(*) > 0 and count(*) = count(*) filter (where path <> '')"
        " from learning_embeddingshard where (select state from labelling_importjob limit 1) = 'done'"
    )
    deadline = time.monotonic() + 300
    while rows(stack, ready) != [(True,)]:
        if time.monotonic() > deadline:
            raise SystemExit("The digits were not imported and embedded within five minutes.")
        time.sleep(0.2)


def rows(stack: Stack, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(stack.database_url) as connection:
        # The statements stand in this file; psycopg's types ask for literals.
        return connection.execute(sql.encode()).fetchall()


if __name__ == "__main__":
    main()
