"""How soon is a failing challenger taken back, in real processes, with nobody watching?

A running Quern gets 50 requests a second, each from another client, at a canary's first step of 5%. The
challenger is the champion's neighbour with a head that fails on some images, and 5% of the images sent are
such. The clock runs from the first of them to the rollback, at once or after a healthy spell.
"""

import argparse
import hashlib
import http.client
import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import psycopg

from benchmarks.bare_model import load
from benchmarks.clients import Target, digits, quern, wait_for_model
from benchmarks.failing_head import direction_and_limit, failing
from benchmarks.report import Claim, print_report
from benchmarks.served import digits_served
from benchmarks.shadow import Manager, wait_for_versions
from labelling.core.images import open_rgb
from learning.core.backbones import prepare
from tests.e2e.stack import Stack

RATE = 50.0  # requests a second
FAILING = 0.05  # of the images sent
CLIENTS = 8
PATIENCE = 180.0  # seconds until a run is given up
ROLLOUTS = "/api/v1/projects/digits/rollouts"


@dataclass
class Traffic:
    """What clients got: seconds since the beginning, and the arm or the failure."""

    answers: list[tuple[float, str]] = field(default_factory=list)
    failures: int = 0


@dataclass(frozen=True)
class Run:
    healthy: float  # seconds before the burst
    seconds: float  # from the burst to the decision; inf for none
    rule: str
    last_answer: float  # seconds after the decision that the challenger answered last
    sent: int
    rate: float  # requests a second that were really answered: a busy machine keeps up with fewer
    failures: int


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.canary_live", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one run, without a healthy spell")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each kind (3)")
    options = parser.parse_args()
    spells = [0.0] if options.quick else [0.0, 120.0]
    seeds = 1 if options.quick else options.seeds
    with digits_served("canary") as stack:
        manager = Manager(stack)
        wait_for_versions(manager, 1)
        target = quern(stack.url, stack.credentials["api_key"], "digits")
        sound, bad, number = challenger(stack, wait_for_model(target))
        runs = [
            rolled_back(manager, target, sound, bad, number, spell, seed)
            for spell in spells
            for seed in range(seeds)
        ]
    report(runs)


def challenger(stack: Stack, champion: str) -> tuple[list[bytes], list[bytes], int]:
    """Publish a version that fails on some images; return those it answers, those it fails on, its number."""
    storage = stack.data / "storage"
    predictor = load(storage, champion, threads=1)
    images = [*digits("PNG", 0), *digits("PNG", 1)]
    pixels = np.stack([prepare(open_rgb(data), predictor.input_size) for data in images])
    direction, limit, beyond = direction_and_limit(predictor.embedder.embed(pixels), 0.1)
    with psycopg.connect(stack.database_url) as database:
        row = database.execute("select id, card from learning_modelversion where digest = %s", [champion])
        pk, card = row.fetchone() or (0, {})
        head = (storage / "artifacts" / card["onnx"][:2] / f"{card['onnx']}.onnx").read_bytes()
        card["onnx"] = _keep(storage, failing(head, direction, limit), ".onnx")
        text = json.dumps(card, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        digest = _keep(storage, text.encode(), ".json")
        # Nothing but a rollout may put it into service.
        database.execute("update serving_deployment set automatic = false")
        run = database.execute(
            "insert into learning_trainingrun select (jsonb_populate_record(run, jsonb_build_object('id',"
            " nextval(pg_get_serial_sequence('learning_trainingrun', 'id'))))).*"
            " from learning_trainingrun run"
            " where id = (select run_id from learning_modelversion where id = %s) returning id",
            [pk],
        ).fetchone()
        made = database.execute(
            "insert into learning_modelversion select (jsonb_populate_record(version, jsonb_build_object("
            " 'id', nextval(pg_get_serial_sequence('learning_modelversion', 'id')), 'run_id', %s::bigint,"
            " 'number', (select max(number) + 1 from learning_modelversion), 'digest', %s::text,"
            " 'card', %s::jsonb))).* from learning_modelversion version where id = %s returning number",
            [run[0] if run else None, digest, text, pk],
        ).fetchone()
    sound = [data for data, one in zip(images, beyond, strict=True) if not one]
    bad = [data for data, one in zip(images, beyond, strict=True) if one]
    return sound, bad, int(made[0]) if made else 0


def _keep(storage: Path, data: bytes, suffix: str) -> str:
    digest = hashlib.sha256(data).hexdigest()
    path = storage / "artifacts" / digest[:2] / f"{digest}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return digest


def rolled_back(
    manager: Manager,
    target: Target,
    sound: list[bytes],
    bad: list[bytes],
    number: int,
    healthy: float,
    seed: int,
) -> Run:
    made = manager.post(ROLLOUTS, mode="canary", challenger=number, start=True)
    traffic, stop, burst = Traffic(), threading.Event(), threading.Event()
    began = time.monotonic()
    clients = [
        threading.Thread(target=_client, args=(target, sound, bad, traffic, began, stop, burst, [seed, one]))
        for one in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    time.sleep(healthy)
    burst.set()
    burst_at = time.monotonic()
    state = made
    while state["state"] == "running" and time.monotonic() - burst_at < PATIENCE:
        time.sleep(0.1)
        state = manager.get(f"{ROLLOUTS}/{made['id']}")
    decided = time.monotonic()
    time.sleep(3.0)
    stop.set()
    for client in clients:
        client.join()
    if state["state"] == "running":
        manager.post(f"{ROLLOUTS}/{made['id']}/abort")
    rule = state["decisions"][0]["rule"] if state["state"] != "running" else "none"
    last = max((at for at, arm in traffic.answers if arm == "challenger"), default=0.0)
    took = decided - burst_at if state["state"] == "rolled-back" else float("inf")
    print(f"{state['state']} by {rule} after {took:.1f} s", flush=True)
    after = began + last - decided
    sent = len(traffic.answers) + traffic.failures
    return Run(healthy, took, rule, after, sent, sent / (time.monotonic() - began), traffic.failures)


def _client(
    target: Target,
    sound: list[bytes],
    bad: list[bytes],
    traffic: Traffic,
    began: float,
    stop: threading.Event,
    burst: threading.Event,
    seed: list[int],
) -> None:
    """Requests at random moments, each by a client of its own, as long as it keeps up."""
    rng, due = np.random.default_rng(seed), time.monotonic()
    parts = urlsplit(target.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    while not stop.is_set():
        due += rng.exponential(CLIENTS / RATE)
        time.sleep(max(0.0, due - time.monotonic()))
        of = bad if burst.is_set() and rng.random() < FAILING else sound
        path = f"{target.path}?unit={uuid.uuid4()}"
        connection.request("POST", path, of[int(rng.integers(len(of)))], target.headers)
        response = connection.getresponse()
        told = response.read()
        if response.status == 200:
            arm = str(json.loads(told)["predictions"][0]["arm"]) if b"predictions" in told else ""
            traffic.answers.append((time.monotonic() - began, arm))
        else:
            traffic.failures += 1


def report(runs: list[Run]) -> None:
    rows: list[dict[str, object]] = [
        {
            "healthy before s": run.healthy,
            "taken back after s": round(run.seconds, 1),
            "by the rule": run.rule,
            "challenger's last answer s later": round(run.last_answer, 2),
            "requests": run.sent,
            "a second": round(run.rate, 1),
            "failed": run.failures,
        }
        for run in runs
    ]
    claims = []
    for spell in sorted({run.healthy for run in runs}):
        of = [run for run in runs if run.healthy == spell]
        told = f"5% errors at a 5% canary and {RATE:g}/s, after {spell:g} s healthy: slowest of {len(of)}"
        claims.append(Claim(told, 60.0, max(run.seconds for run in of), "s"))
    last = max(run.last_answer for run in runs)
    claims.append(Claim("the challenger's last answer after the decision", 1.0, last, "s"))
    claims.append(Claim("requests that failed", 0, sum(run.failures for run in runs), "requests"))
    print_report("canary_live", rows, claims)


if __name__ == "__main__":
    main()
