"""Do the statistics of rollouts keep what they say? Every one is simulated, with seeds.

The models are made up: what is right and how often they agree is drawn. The statistics are those that
production uses, mostly through the `decide` of the mode itself.
"""

import argparse

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.report import print_report
from benchmarks.rollouts import (
    assignments,
    audits,
    bandits,
    canaries,
    comparisons,
    drifts,
    interleavings,
)
from benchmarks.rollouts.table import Table

SUBJECTS = {
    "assignment": assignments.simulate,
    "canary": canaries.simulate,
    "comparisons": comparisons.simulate,
    "bandit": bandits.simulate,
    "interleaving": interleavings.simulate,
    "audit": audits.simulate,
    "drift": drifts.simulate,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rollouts", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs, within a minute")
    parser.add_argument("--seeds", type=int, default=1, help="repeat everything with so many seeds (1)")
    parser.add_argument("--only", nargs="*", default=list(SUBJECTS), choices=list(SUBJECTS))
    options = parser.parse_args()
    table = Table()
    with threadpool_limits(1):
        for seed in range(options.seeds):
            table.prefix = f"seed {seed}, " if options.seeds > 1 else ""
            for name in options.only:
                rng = np.random.default_rng([seed, list(SUBJECTS).index(name)])
                SUBJECTS[name](table, rng, quick=options.quick)
    print_report("rollouts", table.rows, table.claims)


if __name__ == "__main__":
    main()
