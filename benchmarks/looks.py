"""What a look at a rollout costs, when it has answered a million images: all that each mode decides by.

In a PostgreSQL of its own, with the real tables and indexes. Nine images in ten are sent once; one in two
hundred has a label by its client's feedback; there are 20,000 units (`--units`). A look is due every second,
and may take a tenth of the time (`serving.services.rollout_rules`); what goes wrong is to be seen at once.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import django
import numpy as np
from django.core.management import call_command
from django.db import connection

from benchmarks.report import Claim, print_report
from config.embedded import EmbeddedPostgres
from learning.core.lazy import lazy

# It takes the models, which there are when Django is set up.
looked_at = lazy("benchmarks.looked_at", often=False)

MODES = ["ab", "bandit", "canary", "interleaving", "shadow"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.looks", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--units", type=int, default=20_000)
    parser.add_argument("--only", nargs="*", default=MODES, choices=MODES)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="quern-looks-") as folder:
        postgres = EmbeddedPostgres(Path(folder) / "postgres")
        # Django's settings are read once, and from here on.
        os.environ |= {
            "DATABASE_URL": postgres.start("looks"),
            "QUERN_DATA_DIR": folder,
            "QUERN_SECRET_KEY": "of a benchmark",
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        try:
            _measure(options.rows, options.units, options.only)
        finally:
            postgres.stop()


def _measure(rows: int, units: int, modes: list[str]) -> None:
    django.setup()
    call_command("migrate", verbosity=0)
    found, claims = [], []
    for mode in modes:
        began = time.perf_counter()
        rollout = looked_at.rollout_made(mode, rows, units)
        with connection.cursor() as cursor:
            cursor.execute("vacuum analyze serving_prediction")
        made = time.perf_counter() - began
        first, *later = looked_at.looks(rollout)
        median = float(np.median(later))
        found.append(
            {"mode": mode, "made in s": f"{made:.0f}", "first s": f"{first:.2f}", "s": f"{median:.3f}"}
        )
        print(found[-1], flush=True)
        claims.append(Claim(f"a look at a {mode} rollout of {rows:,} answers", 1.0, median, "s"))
        with connection.cursor() as cursor:
            cursor.execute("truncate serving_prediction cascade")
    print_report("looks", found, claims)


if __name__ == "__main__":
    main()
