"""What every benchmark prints: a table for people, then one JSON line for machines."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Claim:
    """A figure and what it should be: at most `aim`, or at least `aim` where more is better."""

    name: str
    aim: float
    measured: float
    unit: str
    more_is_better: bool = False

    @property
    def holds(self) -> bool:
        return self.measured >= self.aim if self.more_is_better else self.measured <= self.aim


def machine() -> str:
    """The processor, how many of it, the memory and the Python: what figures depend on."""
    names = [
        line.partition(":")[2].strip()
        for line in _lines("/proc/cpuinfo")
        if line.startswith(("model name", "Hardware"))
    ]
    memory = next((line.split()[1] for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), "")
    parts = [
        names[0] if names else platform.machine(),
        f"{os.cpu_count()} processors",
        f"{int(memory) / 1024**2:.0f} GB" if memory else "",
        f"Python {platform.python_version()}",
    ]
    return ", ".join(part for part in parts if part)


def print_report(name: str, rows: Sequence[Mapping[str, object]], claims: Sequence[Claim]) -> None:
    """The rows as a table under their keys, each claim in words, and last the JSON line."""
    print_table(rows)
    print()
    for claim in claims:
        sign = ">=" if claim.more_is_better else "<="
        verdict = "holds" if claim.holds else "DOES NOT HOLD"
        print(f"{claim.name}: {claim.measured:.4g} {claim.unit} (aim {sign} {claim.aim:g}): {verdict}")
    print(
        json.dumps(
            {
                "benchmark": name,
                "machine": machine(),
                "claims": [
                    {
                        "name": claim.name,
                        "aim": claim.aim,
                        "measured": round(claim.measured, 4),
                        "unit": claim.unit,
                        "holds": claim.holds,
                    }
                    for claim in claims
                ],
            }
        )
    )


def print_table(rows: Sequence[Mapping[str, object]]) -> None:
    if not rows:
        return
    heads = list(rows[0])
    cells = [heads, *[[_cell(row[head]) for head in heads] for row in rows]]
    widths = [max(len(line[column]) for line in cells) for column in range(len(heads))]
    for number, line in enumerate(cells):
        first, *rest = zip(line, widths, strict=True)
        print("  ".join([first[0].ljust(first[1]), *[cell.rjust(width) for cell, width in rest]]))
        if number == 0:
            print("  ".join("-" * width for width in widths))


def _cell(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
