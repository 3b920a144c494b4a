"""How far apart are policies, and how far does chance throw one reward? What a search can gain, in points.

Random policies are judged again and again by children with other seeds, as a search judges them, on a draw of
labels. The spread of policies, of seeds that all policies share, and of what is left come from a two-way
analysis of variance. From them follows what the best of so many random policies is truly worth above the mean
one (the expected maximum of normal draws, times the square root of a reward's reliability): a search that
learns has to beat that, not the mean.
"""

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from benchmarks.augment_runs import Key, begin, pictures_of, reward
from benchmarks.report import print_report
from learning.core.policy_search.base import drawn
from learning.core.policy_search.plan import ChildPlan
from learning.core.policy_search.session import Trial
from learning.core.policy_search.space import SearchSpace

TRIALS = (40, 100, 300)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reward_spread", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within a minute: digits, few policies")
    parser.add_argument("--sets", nargs="+", default=["digits", "MNIST-5k"])
    parser.add_argument("--labels", type=int, default=200)
    parser.add_argument("--policies", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=4, help="rewards of each policy (4)")
    options = parser.parse_args()
    if options.quick:
        options.sets, options.policies, options.seeds = ["digits"], 8, 2
    space, rows = SearchSpace(), []
    policies = [space.policy(one) for one in drawn(space, options.policies, np.random.default_rng(0))]
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn"), begin) as workers:
        for data in options.sets:
            if pictures_of(data) is None:
                continue
            key: Key = (data, options.labels, 0)
            jobs = [
                (key, ChildPlan(), "child", Trial(0, "search", 1_000 * seed, "random", policy))
                for policy in policies
                for seed in range(options.seeds)
            ]
            found = 100 * np.array(list(workers.map(reward, jobs))).reshape(options.policies, options.seeds)
            rows.append({"data": data, "labels": options.labels, **_spread(found)})
    print_report("reward-spread", rows, [])


def _spread(found: NDArray[np.float64]) -> dict[str, float]:
    """Rewards (P, S) in %, of each policy by each seed."""
    policies, seeds = found.shape
    of_policy, of_seed, mean = found.mean(axis=1), found.mean(axis=0), found.mean()
    left = found - of_policy[:, None] - of_seed[None] + mean
    chance = float(np.square(left).sum() / ((policies - 1) * (seeds - 1)))
    between = max(0.0, float(of_policy.var(ddof=1)) - chance / seeds)
    shared = max(0.0, float(of_seed.var(ddof=1)) - chance / policies)
    reliability = between / (between + shared + chance)
    best = {f"best of {n}": _maximum(n) * np.sqrt(reliability * between) for n in TRIALS}
    return {
        "mean %": float(mean),
        "policies (sd)": np.sqrt(between),
        "seeds (sd)": np.sqrt(shared),
        "chance (sd)": np.sqrt(chance),
        "reliability": reliability,
        **best,
    }


def _maximum(count: int) -> float:
    """About the expected largest of so many standard normal draws (Blom 1958)."""
    return float(norm.ppf((count - 0.375) / (count + 0.25)))


if __name__ == "__main__":
    main()
