"""What a shadow rollout costs the clients who never see it: the slowest answers, with it and without.

A real service at half the load it can bear, by clients that keep to a timetable whatever the server does: an
answer's time counts from when it was due to be asked for. The shadow is paused and resumed every few seconds,
so that both meet the same machine; shown is what it adds from one turn to the next, with its 95% interval,
since a machine that others use too slows answers more than a shadow does.
"""

import argparse
import json
import threading
import time
from collections.abc import Iterable
from http.cookiejar import CookieJar
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import numpy as np

from benchmarks.clients import CLIENTS, Caller, Target, digits, load_by, quern, wait_for_model
from benchmarks.report import Claim, print_report
from benchmarks.served import digits_served
from learning.core.policy_search.verdict import interval
from tests.e2e.stack import Stack

SETTLES = 1.0  # seconds until every process has followed a pause or a resumption
LOAD_SECONDS = 8.0  # in which the most that it can bear is found
QUANTILES = (0.5, 0.95, 0.99)


class Manager:
    """The administrator's program, signed in."""

    def __init__(self, stack: Stack) -> None:
        self._url = stack.url
        self._cookies = CookieJar()
        self._opener = build_opener(HTTPCookieProcessor(self._cookies))
        self._opener.open(f"{self._url}/login/", timeout=60).close()
        form = {
            "username": "admin",
            "password": stack.credentials["admin"],
            "csrfmiddlewaretoken": self._token(),
        }
        self._opener.open(f"{self._url}/login/", urlencode(form).encode(), timeout=60).close()

    def get(self, path: str) -> dict[str, Any]:
        with self._opener.open(self._url + path, timeout=60) as answer:
            return dict(json.load(answer))

    def post(self, path: str, **sent: object) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "X-CSRFToken": self._token()}
        request = Request(self._url + path, json.dumps(sent).encode(), headers)  # noqa: S310  # http to the stack started here
        try:
            with self._opener.open(request, timeout=60) as answer:
                return dict(json.load(answer))
        except HTTPError as refused:
            raise SystemExit(f"{path}: {refused.read().decode()[:300]}") from refused

    def _token(self) -> str:
        return next(str(cookie.value) for cookie in self._cookies if cookie.name == "csrftoken")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shadow", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within a minute")
    parser.add_argument("--seeds", type=int, default=40, help="turns with the shadow and without (40)")
    options = parser.parse_args()
    turns, seconds = (2, 4.0) if options.quick else (options.seeds, 3.0)
    with digits_served("shadow") as stack:
        manager = Manager(stack)
        wait_for_versions(manager, 1)
        # More labels make another version, which is tried against the champion or the other way round.
        stack.manage("simulate", "digits", "--labels", "20", "--url", stack.url)
        wait_for_versions(manager, 2)
        target = quern(stack.url, stack.credentials["api_key"], "digits")
        wait_for_model(target)
        measure(manager, target, turns, seconds)


def wait_for_versions(manager: Manager, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(manager.get("/projects/digits/learning/curve.json")["points"]) < count:
        if time.monotonic() > deadline:
            raise SystemExit(f"There are not {count} versions after a minute.")
        time.sleep(0.5)


def measure(manager: Manager, target: Target, turns: int, seconds: float) -> None:
    images = digits("PNG", 0)
    rate = load_by(CLIENTS, target, images, LOAD_SECONDS).rate / 2
    rollouts = "/api/v1/projects/digits/rollouts"
    _, answer = Caller(target).call(images[0])
    champion = json.loads(answer)["model"]["version"]
    made = manager.post(rollouts, mode="shadow", challenger=2 if champion == 1 else 1, start=True)
    own = f"{rollouts}/{made['id']}"
    found: dict[str, list[list[float]]] = {"without": [], "with": []}
    for turn in range(2 * turns):
        which = "without" if turn % 2 else "with"
        if turn:
            manager.post(f"{own}/{'resume' if which == 'with' else 'pause'}")
        time.sleep(SETTLES)
        found[which].append(timetable(target, images, rate, seconds))
    seen = manager.get(own)
    # (turns, 3) of each, in ms
    turns_of = {
        which: np.array([[float(np.quantile(calls, q)) * 1000 for q in QUANTILES] for calls in runs])
        for which, runs in found.items()
    }
    rows: list[dict[str, object]] = [
        {"what": f"{which} the shadow, {rate:.0f}/s", **_named(np.median(of, axis=0))}
        for which, of in turns_of.items()
    ]
    gains = [interval(of) for of in (turns_of["with"] - turns_of["without"]).T]
    rows += [
        {"what": f"it adds, {word}", **_named([getattr(gain, word) for gain in gains])}
        for word in ("mean", "low", "high")
    ]
    figures = {one["name"]: one for one in seen["figures"]}
    agreement, dropped = figures["agreement"]["n"], figures["dropped"]["value"]
    print(f"the challenger saw {agreement:.0f} different images, {dropped:.0f} were dropped")
    most = max(1.0, 0.02 * float(np.median(turns_of["without"][:, -1])))
    p99 = gains[-1]
    name = f"p99 at half load, added by a shadow ({p99.low:+.1f} to {p99.high:+.1f})"
    print_report("shadow", rows, [Claim(name, most, p99.mean, "ms")])


def _named(values: Iterable[float]) -> dict[str, float]:
    return {f"p{100 * q:.0f} ms": float(value) for q, value in zip(QUANTILES, values, strict=True)}


def timetable(target: Target, images: list[bytes], rate: float, seconds: float) -> list[float]:
    """Seconds from when each answer was due to be asked for until it was there."""
    calls: list[list[float]] = [[] for _ in range(CLIENTS)]
    count = int(rate * seconds / CLIENTS)
    began = time.monotonic() + 0.2

    def client(number: int) -> None:
        caller = Caller(target)
        for place in range(count):
            due = began + (place + number / CLIENTS) * CLIENTS / rate
            time.sleep(max(0.0, due - time.monotonic()))
            caller.predict(images[(place * CLIENTS + number) % len(images)])
            calls[number].append(time.monotonic() - due)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if sum(map(len, calls)) < count * CLIENTS:
        raise SystemExit("A client stopped: see above.")
    return [call for one in calls for call in one]


if __name__ == "__main__":
    main()
