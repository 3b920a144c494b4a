"""The plot of a run's batch sizes, as coordinates: the throughput curve, and the limits of the choice."""

import math
from typing import Any

from learning.core.pretraining import PRETRAININGS
from learning.models import PretrainingRun

WIDTH, HEIGHT, MARGIN = 560, 226, 34
FLOOR, CEILING = 170, 66
LETTER = 7  # pixels


def batch_plots(run: PretrainingRun) -> list[dict[str, Any]]:
    """One for each way of the run whose batch was chosen; without coordinates where nothing was measured."""
    measured: dict[str, dict[str, Any]] = run.config.get("batches", {})
    return [
        (_plot if choice["curve"] else _words)(
            PRETRAININGS[name].title if name in PRETRAININGS else name, choice
        )
        for name, choice in measured.items()
        if choice
    ]


def _words(title: str, choice: dict[str, Any]) -> dict[str, Any]:
    return {"title": title, "reason": choice["reason"]}


def _plot(title: str, choice: dict[str, Any]) -> dict[str, Any]:
    curve = choice["curve"]
    pictures = choice.get("pictures")  # runs from before have none
    limits = [(choice["knee"], "knee"), (choice["noise"], "noise scale"), (choice["batch"], "chosen")]
    if pictures is not None and choice["fits"] < pictures:
        limits.append((choice["fits"], "fits"))
    there = [(float(value), words) for value, words in limits if value]
    every = [float(one["batch"]) for one in curve] + [value for value, _ in there]
    low, high = math.log2(max(1.0, min(every))), math.log2(max(every))
    top = max(one["speed"] for one in curve)

    def x(batch: float) -> int:
        share = (math.log2(max(batch, 1.0)) - low) / max(high - low, 1e-9)
        return round(MARGIN + share * (WIDTH - 2 * MARGIN))

    times = choice.get("times", [])  # runs from before have none
    points = [
        {
            "x": x(one["batch"]),
            "y": round(FLOOR - one["speed"] / top * (FLOOR - CEILING)),
            "batch": one["batch"],
            "speed": round(one["speed"]),
            "megabytes": round(one["memory"] / 1e6),
            "time": f"{times[place]:.1f} x" if times else "",
        }
        for place, one in enumerate(curve)
    ]
    return {
        "title": title,
        **{name: choice[name] for name in ("reason", "seconds", "fits")},
        "all_fit": pictures is not None and choice["fits"] >= pictures,
        "width": WIDTH,
        "height": HEIGHT,
        "floor": FLOOR,
        "under": FLOOR + 22,
        "below": FLOOR + 40 if times else None,
        "top": round(top),
        "points": points,
        "path": " ".join(f"{one['x']},{one['y']}" for one in points),
        "lines": [
            # Names of limits that are close to each other stand above one another.
            _limit(x(value), 12 + 16 * row, f"{words} {value:,.0f}", chosen=words == "chosen")
            for row, (value, words) in enumerate(there)
        ],
    }


def _limit(x: int, y: int, words: str, *, chosen: bool) -> dict[str, Any]:
    """A line with its name, which lies beside it where it would leave the picture."""
    half = LETTER * len(words) / 2
    anchor = "start" if x < half else "end" if x > WIDTH - half else "middle"
    return {"x": x, "y": y, "words": words, "chosen": chosen, "anchor": anchor}
