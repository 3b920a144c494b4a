"""What is a searched augmentation policy worth? Found on labelled pictures, measured on a test set.

Each seed draws its labels anew; a search sees them alone, and its children learn one half and answer the
other. What is found, and each fixed augmentation, then trains a network for longer on all of the labels, and
test pictures that nothing has seen are asked. A search whose policy does no better than none is counted with
none. All have as many trials and the same children. Intervals (95%) are paired over the seeds.
"""

import argparse
import functools
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.pictures import Pictures, digits, fashion, larger_sets
from benchmarks.report import Claim, print_report
from learning.core.augmentation import AUGMENTATIONS, Policy
from learning.core.children.children import children_train
from learning.core.children.judge import Judge, channels_first
from learning.core.networks.pretrain import SIZE
from learning.core.policy_search.base import Judged
from learning.core.policy_search.config import SearchConfig
from learning.core.policy_search.plan import ChildPlan
from learning.core.policy_search.session import Session, Trial
from learning.core.policy_search.verdict import LEAST, interval
from learning.core.pretraining import Answered

SEARCHED = ("random", "density-matching", "ppo", "reinforce")
LEARNER = "ppo"
BESIDE = "trivial-augment-wide"
FINAL = ChildPlan("medium", looked_at=6_000, batch=64)
SHORT = ChildPlan(looked_at=600)
FASHION_IMAGES = 6_000
COUNTS = (200, 1_000)
FEW_LABELS, FEW_LABELS_AIM = 200, 1.5  # points over none


# A data set's name, a number of labels, a seed.
Key = tuple[str, int, int]


@dataclass(frozen=True)
class Setting:
    known: Answered
    test: Answered
    classes: int


@dataclass(frozen=True)
class Found:
    used: str | Policy  # a policy, or the name of a fixed augmentation
    rewards: list[float]  # of the proposals, in order
    seconds: float
    words: str


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.augment", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within a minute: digits, one seed, short")
    parser.add_argument("--seeds", type=int, default=5, help="draws of labels (5)")
    parser.add_argument("--trials", type=int, default=300, help="of each search (300)")
    parser.add_argument("--labels", type=int, nargs="+", default=list(COUNTS))
    parser.add_argument("--sets", nargs="+", default=["digits", "MNIST-5k", "Fashion-MNIST"])
    parser.add_argument("--searches", nargs="+", default=list(SEARCHED))
    parser.add_argument("--fixed", nargs="+", default=list(AUGMENTATIONS))
    options = parser.parse_args()
    if options.quick:
        options.sets, options.labels, options.seeds, options.trials = ["digits"], [200], 1, 10
        options.searches, options.fixed = ["random", "ppo"], ["none", BESIDE]
    final, child = (replace(FINAL, looked_at=3_000), SHORT) if options.quick else (FINAL, ChildPlan())
    rows: list[dict[str, object]] = []
    claims: list[Claim] = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, context, _begin) as workers:
        for data in options.sets:
            for count in options.labels if _pictures(data) else []:
                found = _measured(data, count, options, child, final, workers)
                rows += found[0]
                claims += found[1]
    print_report("augment", rows, claims)


def _begin() -> None:
    torch.set_num_threads(1)


@functools.cache
def _pictures(name: str) -> Pictures | None:
    if name == "Fashion-MNIST":
        return fashion(FASHION_IMAGES)
    return digits() if name == "digits" else next(larger_sets())


@functools.lru_cache(2)
def _setting(key: Key) -> Setting:
    name, count, seed = key
    pictures = _pictures(name)
    assert pictures is not None
    order = np.random.default_rng(seed).permutation(len(pictures.images))
    test, known = order[: pictures.test], order[pictures.test :][:count]
    return Setting(_answered(pictures, known), _answered(pictures, test), pictures.classes)


def _answered(pictures: Pictures, rows: NDArray[np.int64]) -> Answered:
    some = replace(pictures, images=[pictures.images[row] for row in rows])
    return Answered(some.prepared(SIZE), pictures.labels[rows])


@functools.lru_cache(2)
def _judge(key: Key, plan: ChildPlan) -> Judge:
    setting = _setting(key)
    return Judge(setting.known, setting.classes, plan, key[2])


def _measured(
    data: str,
    count: int,
    options: argparse.Namespace,
    child: ChildPlan,
    final: ChildPlan,
    workers: ProcessPoolExecutor,
) -> tuple[list[dict[str, object]], list[Claim]]:
    found: dict[str, list[Found]] = {name: [] for name in options.searches}
    reached_by: dict[str, list[float]] = {}
    for seed in range(options.seeds):
        key = (data, count, seed)
        for name in options.searches:
            found[name].append(_searched(key, name, options.trials, child, workers))
            print(f"{key}, {name}: {found[name][-1].words}", flush=True)
        ways: dict[str, str | Policy] = {name: name for name in options.fixed}
        ways |= {f"{name} search": of_it[-1].used for name, of_it in found.items()}
        # Said at once: a run that is cut short leaves what it has found.
        for name, one in zip(
            ways, workers.map(_accuracy, [(way, key, final) for way in ways.values()]), strict=True
        ):
            reached_by.setdefault(name, []).append(one)
            print(f"{key}, {name}: {one:.2f}%", flush=True)
    accuracy = {name: np.array(every) for name, every in reached_by.items()}
    rows: list[dict[str, object]] = []
    for name, reached in accuracy.items():
        gain = interval(reached - accuracy["none"])
        searches = found.get(name.removesuffix(" search"), [])
        rows.append(
            {
                "data": data,
                "labels": count,
                "augmentation": name,
                "%": float(reached.mean()),
                "- none": gain.mean,
                "from": gain.low,
                "to": gain.high,
                "search s": float(np.mean([one.seconds for one in searches])) if searches else 0.0,
            }
        )
    return rows, _claims(f"{data}, {count} labels", accuracy, found, count)


def _searched(key: Key, name: str, trials: int, child: ChildPlan, workers: ProcessPoolExecutor) -> Found:
    config = SearchConfig(search=name, trials=trials, child=child, seed=key[2], rivals={})
    session = Session(config)
    began = time.perf_counter()
    while batch := session.batch():
        jobs = [(key, config.child, session.how, trial) for trial in batch]
        session.tell(list(workers.map(_reward, jobs)))
    took = time.perf_counter() - began
    found = session.verdict()
    gain = found.over["none"]
    words = (
        f"{took:.0f} s, {found.candidate} gains {100 * gain.mean:+.1f} points "
        f"({100 * gain.low:+.1f} to {100 * gain.high:+.1f}) over none"
    )
    used = gain.mean >= LEAST
    return Found(
        found.policy if used else "none",
        [reward for _, reward in session.of_kind("search")],
        took,
        words if used else f"{words}: not used",
    )


def _reward(job: tuple[Key, ChildPlan, Judged, Trial]) -> float:
    key, plan, how, trial = job
    return _judge(key, plan).outcome(trial, how).reward


def _accuracy(job: tuple[str | Policy, Key, ChildPlan]) -> float:
    """In %, on the test pictures, of a network trained for longer on all labels."""
    way, key, plan = job
    setting = _setting(key)
    augment = AUGMENTATIONS[way].apply if isinstance(way, str) else way
    known, test = setting.known, setting.test
    images = channels_first(known.images)
    truth = torch.from_numpy(known.labels)
    children = children_train([images], [truth], setting.classes, augment, plan, [key[2]])
    guess = children.logits([channels_first(test.images)])[0].argmax(axis=1)
    return 100 * float((guess == test.labels).mean())


def _claims(
    where: str, accuracy: dict[str, NDArray[np.float64]], found: dict[str, list[Found]], count: int
) -> list[Claim]:
    mine = accuracy[f"{LEARNER} search"]

    def over(name: str, aim: float) -> Claim:
        gain = float((mine - accuracy[name]).mean())
        return Claim(f"{where}: {LEARNER} search over {name}", aim, gain, "points", more_is_better=True)

    rise = interval(np.array([_rise(one.rewards) for one in found[LEARNER]]))
    claims = [over("none", FEW_LABELS_AIM if count <= FEW_LABELS else 0.0), over(BESIDE, 0.0)]
    claims += [over("random search", 0.0)] if "random" in found else []
    return [
        *claims,
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
