"""What is a searched augmentation policy worth? Found on labelled pictures, measured on a test set.

Each seed draws its labels anew; a search sees them alone, and its children learn some and answer the
others. What is found, and each fixed augmentation, then trains a network for longer on all of the labels, and
test pictures that nothing has seen are asked. "ppo policy" is the best policy found; "ppo search" what a
project would use after it: that policy, a fixed augmentation that did better beside it, or none, if it does
no better. All have as many trials and the same children. Intervals (95%) are paired over the seeds. What is
done is kept, and the same command goes on.
"""

import argparse
import functools
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.augment_runs import Key, accuracy_of, begin, pictures_of, reward
from benchmarks.kept import Kept, OutOfTime
from benchmarks.report import Claim, print_report
from learning.core.augmentation import AUGMENTATIONS, Policy, policy_from
from learning.core.policy_search.config import SearchConfig
from learning.core.policy_search.plan import ChildPlan
from learning.core.policy_search.session import Session
from learning.core.policy_search.verdict import interval

SEARCHED = ("random", "density-matching", "ppo", "reinforce")
LEARNER = "ppo"
BESIDE = "trivial-augment-wide"
FINAL = ChildPlan("medium", looked_at=6_000, batch=64)
LOOKS = 30  # at each labelled picture, at least 6,000 in all: as often with 1,000 labels as with 200
SHORT = ChildPlan(looked_at=600)
COUNTS = (200, 1_000)
FEW_LABELS, FEW_LABELS_AIM = 200, 1.5  # points over none
SETS = ("digits", "MNIST-5k", "Fashion-MNIST")
# Of an accuracy, and of a search.
TRAINING = (
    "benchmarks/augment_runs.py",
    "benchmarks/pictures.py",
    "learning/core/augmentation",
    "learning/core/children/children.py",
    "learning/core/children/siblings.py",
    "learning/core/networks/network.py",
    "learning/core/networks/views.py",
)
SOURCES = (
    *TRAINING,
    "learning/core/children/judge.py",
    "learning/core/methods/folds.py",
    "learning/core/networks/controller.py",
    "learning/core/networks/policy_gradient.py",
    "learning/core/policy_search",
)


@dataclass(frozen=True)
class Found:
    used: str  # the name of a fixed augmentation, "" for what was found
    policy: dict[str, Any]
    rewards: list[float]  # of the proposals, in order
    seconds: float
    words: str


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.augment", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within a minute: digits, one seed, short")
    parser.add_argument("--seeds", type=int, default=5, help="draws of labels (5)")
    parser.add_argument("--trials", type=int, default=300, help="of each search (300)")
    parser.add_argument("--labels", type=int, nargs="+", default=list(COUNTS))
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument(
        "--searches", nargs="+", default=list(SEARCHED), choices=SEARCHED, help=f"beside {LEARNER}"
    )
    parser.add_argument(
        "--fixed", nargs="+", default=list(AUGMENTATIONS), choices=list(AUGMENTATIONS), help="beside none"
    )
    parser.add_argument(
        "--looks", type=int, default=LOOKS, help=f"of the network at each labelled picture ({LOOKS})"
    )
    parser.add_argument("--minutes", type=float, default=np.inf, help="begin no further search after so many")
    parser.add_argument(
        "--keep", type=Path, default=Path("var/benchmarks/augment"), help="where results are kept"
    )
    options = parser.parse_args()
    # What the claims are about is always measured.
    options.searches = list(dict.fromkeys([*options.searches, LEARNER]))
    options.fixed = list(dict.fromkeys([*options.fixed, "none", BESIDE]))
    if options.quick:
        options.sets, options.labels, options.seeds, options.trials = ["digits"], [200], 1, 10
        options.searches, options.fixed = ["random", "ppo"], ["none", BESIDE]
    final, child = (replace(FINAL, looked_at=3_000), SHORT) if options.quick else (FINAL, ChildPlan())
    looks = 0 if options.quick else options.looks
    rows: list[dict[str, object]] = []
    claims: list[Claim] = []
    context = multiprocessing.get_context("spawn")
    kept = Kept(options.keep, options.minutes, SOURCES)
    asked = [(data, count) for data in options.sets for count in options.labels if pictures_of(data)]
    with ProcessPoolExecutor(2, context, begin) as workers:
        for data, count in asked:
            longer = replace(final, looked_at=max(final.looked_at, looks * count))
            found = _measured(data, count, options, child, longer, workers, kept)
            rows += found[0]
            claims += found[1]
    print_report("augment", rows, claims)


def _measured(
    data: str,
    count: int,
    options: argparse.Namespace,
    child: ChildPlan,
    final: ChildPlan,
    workers: ProcessPoolExecutor,
    kept: Kept,
) -> tuple[list[dict[str, object]], list[Claim]]:
    """Of the draws of labels that there was time for."""
    found: dict[str, list[Found]] = {name: [] for name in options.searches}
    called = [_called(name, what) for name in options.searches for what in ("policy", "search")]
    reached: dict[str, list[float]] = {name: [] for name in (*options.fixed, *called)}
    for seed in range(options.seeds):
        key = (data, count, seed)
        try:
            of_seed = {
                name: _searched(key, name, options.trials, child, workers, kept) for name in options.searches
            }
            accuracies = _accuracies(key, options.fixed, of_seed, final, workers, kept.of(TRAINING))
        except OutOfTime as over:
            print(over)
            break
        for name, one in of_seed.items():
            found[name].append(one)
        for name, right in accuracies.items():
            reached[name].append(right)
    if not reached["none"]:
        return [], []
    accuracy = {name: np.array(every) for name, every in reached.items()}
    rows: list[dict[str, object]] = []
    for name, every in accuracy.items():
        gain = interval(every - accuracy["none"])
        searches = found.get(name.removesuffix(" search"), [])
        rows.append(
            {
                "data": data,
                "labels": count,
                "augmentation": name,
                "draws": len(every),
                "%": float(every.mean()),
                "- none": gain.mean,
                "from": gain.low,
                "to": gain.high,
                "search s": float(np.mean([one.seconds for one in searches])) if searches else 0.0,
            }
        )
    return rows, _claims(f"{data}, {count} labels", accuracy, found, count)


def _called(search: str, what: str) -> str:
    return f"{search} {what}"


def _searched(
    key: Key, name: str, trials: int, child: ChildPlan, workers: ProcessPoolExecutor, kept: Kept
) -> Found:
    def made() -> dict[str, Any]:
        config = SearchConfig(search=name, trials=trials, child=child, seed=key[2], rivals={})
        session = Session(config)
        began = time.perf_counter()
        while batch := session.batch():
            jobs = [(key, config.child, session.how, trial) for trial in batch]
            session.tell(list(workers.map(reward, jobs)))
        return asdict(_found(session, time.perf_counter() - began))

    found = Found(**kept.value(["search", *key, name, trials, asdict(child)], made))
    print(f"{key}, {name}: {found.words}", flush=True)
    return found


def _found(session: Session, took: float) -> Found:
    found = session.verdict()
    said = "; ".join(filter(None, (f"{took:.0f} s, {found.candidate} has {found.words}", found.instead)))
    used = found.best if found.best == found.fixed else ""
    if not found.better:
        used, said = "none", f"{said}: not used"
    rewards = [one for _, one in session.of_kind("search")]
    return Found(used, found.policy.as_json(), rewards, took, said)


def _accuracies(
    key: Key,
    fixed: Sequence[str],
    found: dict[str, Found],
    final: ChildPlan,
    workers: ProcessPoolExecutor,
    kept: Kept,
) -> dict[str, float]:
    """In %, by the name of the augmentation."""
    ways: dict[str, str | Policy] = {name: name for name in fixed}
    for name, one in found.items():
        ways[_called(name, "policy")] = policy = policy_from(one.policy)
        ways[_called(name, "search")] = one.used or policy
    plan = {name: getattr(final, name) for name in ("size", "looked_at", "batch", "rate")}
    words = {
        name: ["accuracy", *key, way if isinstance(way, str) else way.as_json(), plan]
        for name, way in ways.items()
    }
    new = {name: way for name, way in ways.items() if not kept.has(words[name])}
    if new:
        kept.begin()
    made = dict(zip(new, workers.map(accuracy_of, [(way, key, final) for way in new.values()]), strict=True))
    accuracies = {name: kept.value(words[name], functools.partial(made.__getitem__, name)) for name in ways}
    for name, right in accuracies.items():
        print(f"{key}, {name}: {right:.2f}%", flush=True)
    return accuracies


def _claims(
    where: str, accuracy: dict[str, NDArray[np.float64]], found: dict[str, list[Found]], count: int
) -> list[Claim]:
    def over(mine: str, name: str, aim: float) -> Claim:
        gain = float((accuracy[mine] - accuracy[name]).mean())
        return Claim(f"{where}: {mine} over {name}", aim, gain, "points", more_is_better=True)

    rise = interval(np.array([_rise(one.rewards) for one in found[LEARNER]]))
    least = FEW_LABELS_AIM if count <= FEW_LABELS else 0.0
    mine, policy = f"{LEARNER} search", f"{LEARNER} policy"
    return [
        over(mine, "none", least),
        over(mine, BESIDE, 0.0),
        over(policy, "none", least),
        over(policy, BESIDE, 0.0),
        *([over(policy, "random policy", 0.0)] if "random" in found else []),
        Claim(
            f"{where}: rewards of the last quarter over the first ({rise.low:+.2f} to {rise.high:+.2f})",
            0.0,
            rise.mean,
            "points",
            more_is_better=True,
        ),
        Claim(
            f"{where}: {len(found[LEARNER][0].rewards)} trials of {LEARNER}, and the finalists",
            360.0,
            float(np.mean([one.seconds for one in found[LEARNER]])),
            "s",
        ),
    ]


def _rise(rewards: Sequence[float]) -> float:
    quarter = max(1, len(rewards) // 4)
    return 100 * float(np.mean(rewards[-quarter:]) - np.mean(rewards[:quarter]))


if __name__ == "__main__":
    main()
