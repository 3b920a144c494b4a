"""Does a trial's short-lived child rank policies as a network would that is trained for long?

Policies are drawn from the usual search space, beside the fixed augmentations. Each is judged by the children
of a trial, which learn half of the labels, or of some of them, and by a larger network that learns all of
them for longer and is asked test pictures. Shown is Spearman's rank correlation of the two, and of a trial's
rewards with those of the same trial on other seeds; and by how many points the mean policy is better than
none, by children and by the larger network.
"""

import argparse
import time
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from benchmarks.augment import LOOKS
from benchmarks.augment_runs import FASHION_IMAGES
from benchmarks.pictures import Pictures, digits, fashion, larger_sets
from benchmarks.report import Claim, print_report
from learning.core.augmentation import AUGMENTATIONS, Policy
from learning.core.children.children import children_train
from learning.core.children.judge import Judge, channels_first
from learning.core.networks.pretrain import SIZE
from learning.core.policy_search.base import drawn
from learning.core.policy_search.plan import ChildPlan
from learning.core.policy_search.session import Trial
from learning.core.policy_search.space import SearchSpace
from learning.core.pretraining import Answered

LONG = ChildPlan("medium", looked_at=6_000, batch=64)
TESTED = 3_000
DRAWS = 2  # seeds a policy
Way = str | Policy  # a fixed augmentation by its name
SETS = ("digits", "MNIST-5k", "Fashion-MNIST")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.children", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within a minute: digits, 4 policies, short")
    parser.add_argument("--policies", type=int, default=30)
    parser.add_argument("--labels", type=int, default=200)
    parser.add_argument(
        "--children",
        type=_plan,
        nargs="+",
        help="labels:pictures looked at, such as 200:4000, the usual; beside others of all labels",
    )
    parser.add_argument("--sets", nargs="+", default=list(SETS[:2]), choices=SETS)
    options = parser.parse_args()
    long = replace(LONG, looked_at=max(LONG.looked_at, LOOKS * options.labels))
    usual, count = ChildPlan(), options.labels
    options.children = options.children or [
        replace(usual, labels=count, looked_at=usual.looked_at // (1 if count > usual.labels else 2)),
        usual,
        *([replace(usual, labels=count, looked_at=20 * count)] if count > usual.labels else []),
    ]
    if options.quick:
        options.sets, options.policies, options.children = ["digits"], 4, [ChildPlan(looked_at=600)]
        long = ChildPlan(looked_at=1_000)
    torch.set_num_threads(1)
    rows: list[dict[str, object]] = []
    claims: list[Claim] = []
    sets = [digits(), *larger_sets(), fashion(FASHION_IMAGES)]
    for pictures in (one for one in sets if one is not None and one.name in options.sets):
        found, agrees = _measured(pictures, options, long)
        rows += found
        claims.append(
            Claim(f"{pictures.name}: a trial's ranks with the long training's", 0.4, agrees, "", True)
        )
    print_report("children", rows, claims)


def _plan(words: str) -> ChildPlan:
    labels, looked_at = map(int, words.split(":"))
    return ChildPlan(labels=labels, looked_at=looked_at)


def _measured(
    pictures: Pictures, options: argparse.Namespace, long: ChildPlan
) -> tuple[list[dict[str, object]], float]:
    """The rows, and how the trials of the last one agree with the long training."""
    order = np.random.default_rng(0).permutation(len(pictures.images))
    images = pictures.prepared(SIZE)[order]
    labels = pictures.labels[order]
    known = Answered(images[: options.labels], labels[: options.labels])
    test = Answered(images[options.labels :][:TESTED], labels[options.labels :][:TESTED])
    space = SearchSpace()
    policies: list[Way] = [name for name in AUGMENTATIONS if name != "none"]
    policies += [space.policy(one) for one in drawn(space, options.policies, np.random.default_rng(11))]
    truth = np.array([_long(known, test, pictures.classes, one, long) for one in policies])
    gained = 100 * float(truth.mean() - _long(known, test, pictures.classes, "none", long))
    print(f"{pictures.name}, long: {100 * truth.mean():.1f} +- {100 * truth.std():.1f}%", flush=True)
    rows: list[dict[str, object]] = []
    agrees = 0.0
    for plan in options.children:
        judge = Judge(known, pictures.classes, plan, 0)
        began = time.process_time()
        rewards = np.array([[_reward(judge, one, draw) for one in policies] for draw in range(DRAWS)])
        took = (time.process_time() - began) / rewards.size
        plain = float(np.mean([_reward(judge, "none", draw) for draw in range(DRAWS)]))
        agrees = float(np.mean([_agreement(one, truth) for one in rewards]))
        rows.append(
            {
                "data": pictures.name,
                "labels": plan.labels,
                "looked at": plan.looked_at,
                "CPU s": took,
                "%": 100 * float(rewards.mean()),
                "over none": 100 * (float(rewards.mean()) - plain),
                "long over none": gained,
                "with long": agrees,
                "with itself": _agreement(rewards[0], rewards[1]),
            }
        )
        print(rows[-1], flush=True)
    return rows, agrees


def _long(known: Answered, test: Answered, classes: int, way: Way, plan: ChildPlan) -> float:
    augment = AUGMENTATIONS[way].apply if isinstance(way, str) else way
    truth = torch.from_numpy(known.labels)
    made = children_train([channels_first(known.images)], [truth], classes, augment, plan, [0])
    [logits] = made.logits([channels_first(test.images)])
    return float((logits.argmax(axis=1) == test.labels).mean())


def _reward(judge: Judge, way: Way, draw: int) -> float:
    """On a seed of its own, as the trials of a search are."""
    if isinstance(way, str):
        trial = Trial(0, "search", 2 * draw, way, None)
    else:
        trial = Trial(0, "search", int(way.digest[:6], 16) + 2 * draw, "", way)
    return judge.outcome(trial, "child").reward


def _agreement(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(spearmanr(one, other).statistic)


if __name__ == "__main__":
    main()
