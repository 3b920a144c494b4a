"""From a label to a retrained model and the next diverse batch, in pools of 5,000 and 70,000 items.

One annotator labels without a pause but that of looking, through the real pages of a running Quern, while
it trains; for each label the clock runs from its POST until the ranking in force has read it. Labels come
faster than rounds end, so one may wait for the round before. The embeddings are drawn, not computed: clusters
as wide as the ones of the backbone, cut into the same shards.

The page shows an image that it already has and sends the answer in the background: an annotator waits only
for a POST of an answer and one for the next items that together take longer than looking at an image.
"""

import argparse
import json
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import numpy as np
import psycopg

from benchmarks.report import Claim, print_report
from labelling.management.visitor import Visitor
from tests.e2e.stack import Stack

POOLS = {5_000: 3.0, 70_000: 15.0}  # items: aim in seconds
WIDTH = 1_792  # features, about those of the default backbone
LOOK = 1.0  # seconds that a person looks at an image
FIRST_LABELS = 40
MAKE = f"""
import json, pathlib
from django.db import transaction
from labelling.models import Membership, User
from tests.learning.big_pool import big_project
from tests.learning.digits import label_items
with transaction.atomic():
    project, truth = big_project("pool", ITEMS, {WIDTH})
    label_items(project, truth, {FIRST_LABELS})
    label_items(project, truth, {FIRST_LABELS}, "holdout")
    Membership.objects.create(project=project, user=User.objects.get(username="annotator"), role="annotator")
pathlib.Path("TRUTH").write_text(json.dumps(truth))
"""
KNOWN = (
    "select said.uuid::text from labelling_queue queue join labelling_annotation said using (project_id)"
    " where queue.through_annotation >= said.id and said.uuid = any(%s::uuid[])"
)


@dataclass
class Times:
    """Seconds."""

    fresh: list[float] = field(default_factory=list)  # from the POST of a label to the ranking that knows it
    rounds: list[float] = field(default_factory=list)
    posts: list[float] = field(default_factory=list)
    nexts: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)  # of the annotator


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.freshness", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the smaller pool, few labels: about a minute")
    parser.add_argument("--seeds", type=int, default=2, help="fresh stacks, one after the other (2)")
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    claims: list[Claim] = []
    for items, aim in list(POOLS.items())[: 1 if options.quick else None]:
        times = Times()
        for _ in range(1 if options.quick else options.seeds):
            labelled_while_training(items, 20 if options.quick else 60, times)
        for what, seconds in {
            "label to the next batch": times.fresh,
            "of which a round": times.rounds,
            "POST of the label": times.posts,
            "POST for the next items": times.nexts,
            "the annotator waits": times.waits,
        }.items():
            p50, p95 = np.quantile(seconds, [0.5, 0.95]).round(3).tolist()
            found = {"count": len(seconds), "p50 s": p50, "p95 s": p95, "max s": round(max(seconds), 3)}
            rows.append({"pool": f"{items:,}", "what": what, **found})
        fresh, wait = np.quantile(times.fresh, 0.95), np.quantile(times.waits, 0.95)
        claims.append(Claim(f"{items:,}: label to the next diverse batch, p95", aim, float(fresh), "s"))
        claims.append(Claim(f"{items:,}: the annotator waits, p95", 0.0, float(wait) * 1000, "ms"))
    print_report("freshness", rows, claims)


def labelled_while_training(items: int, turns: int, times: Times) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="quern-freshness-") as folder,
        Stack(Path(folder) / "data", demo="none") as stack,
    ):
        truth = Path(folder) / "truth.json"
        made = MAKE.replace("ITEMS", str(items)).replace("TRUTH", str(truth))
        stack.manage("shell", "-v", "0", "-c", made, timeout=600)
        with psycopg.connect(stack.database_url, autocommit=True) as database:
            ranked = "select count(*) > 0 from learning_round"
            while database.execute(ranked).fetchone() != (True,):
                time.sleep(0.1)
            play(stack, database, json.loads(truth.read_text()), turns, times)
            later = "select seconds from learning_round where number > 1"
            times.rounds += [float(seconds) for (seconds,) in database.execute(later)]


def play(
    stack: Stack,
    database: "psycopg.Connection[tuple[object, ...]]",
    truth: dict[str, str],
    turns: int,
    times: Times,
) -> None:
    visitor = Visitor(stack.url)
    visitor.sign_in("annotator", stack.credentials["annotator"])
    page = visitor.label_page("pool")
    [question] = page["questions"]
    labels = {label["name"]: label["id"] for label in question["labels"]}
    posted: dict[str, float] = {}
    over = threading.Event()
    watcher = threading.Thread(target=watch, args=(database, posted, over, times))
    watcher.start()
    for _ in range(turns):
        began = time.monotonic()
        [item] = visitor.post(page["next"], {"count": 1, "holding": []})["items"]
        times.nexts.append(time.monotonic() - began)
        uuid = str(uuid4())
        label = labels[truth[str(item["item"])]]
        answer = {"uuid": uuid, "item": item["item"], "question": question["id"], "label": label}
        began = posted[uuid] = time.monotonic()
        visitor.post(page["annotations"], {**answer, "seconds": LOOK})
        times.posts.append(time.monotonic() - began)
        times.waits.append(max(0.0, times.posts[-1] + times.nexts[-1] - LOOK))
        time.sleep(max(0.0, LOOK - times.posts[-1]))
    over.set()
    watcher.join()
    visitor.close()


def watch(
    database: "psycopg.Connection[tuple[object, ...]]",
    posted: dict[str, float],
    over: threading.Event,
    times: Times,
) -> None:
    """Note when each label is known, until all are."""
    while posted or not over.is_set():
        for (uuid,) in database.execute(KNOWN, [list(posted)]).fetchall():
            times.fresh.append(time.monotonic() - posted.pop(str(uuid)))
        if over.is_set() and posted and time.monotonic() - max(posted.values()) > 120:
            raise SystemExit("A label was not known within two minutes.")
        time.sleep(0.01)


if __name__ == "__main__":
    main()
