"""float32 against int8: the same head on both, on pictures that neither training nor calibration has seen.

As the product does it: the backbone is calibrated on 200 pictures of the pool, the head learned from float32
features, and int8 answers if it is no more than 0.3 points worse on the hold-out and faster on this machine.
Inductive: the hold-out is seen by nothing before it is measured.
"""

import argparse
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.label_runs import drawn
from benchmarks.pictures import Pictures, digits, fashion, larger_sets
from benchmarks.report import Claim, print_report
from learning.core.backbones import BACKBONES
from learning.core.methods import METHODS, TrainingData
from learning.core.precision import BATCHES, MOST_LOST, choose, ms_an_image
from learning.core.predictor import Embedder
from learning.core.quantised import CALIBRATION, quantised

BACKBONE = BACKBONES["efficientnet-lite0"]
LABELS = (100, 1_000)
FASHION = 12_000  # pictures, of which a sixth is held out

Times = dict[int, tuple[float, float]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.int8", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within a minute: digits alone")
    options = parser.parse_args()
    found = [digits()]
    if not options.quick:
        found += [*larger_sets(), *filter(None, [fashion(FASHION)])]
    rows = [row for pictures in found for row in _rows(pictures)]
    lost = [float(str(row["points lost"])) for row in rows]
    print_report(
        "int8",
        rows,
        [
            Claim("points lost at worst", 100 * MOST_LOST, max(lost), "points"),
            Claim("points lost on average", 100 * MOST_LOST, float(np.mean(lost)), "points"),
            Claim(
                "time at batch 1 as a share of float32's", 0.95, float(str(rows[-1]["share at 1"])), "of 1"
            ),
        ],
    )


def _rows(pictures: Pictures) -> Iterator[dict[str, object]]:
    pool, holdout = drawn(pictures)
    pool = pool[: max(LABELS)]
    images = pictures.prepared(BACKBONE.input_size)
    exact = BACKBONE.export()
    began = time.perf_counter()
    int8 = quantised(exact, images[pool[:CALIBRATION]])
    took = time.perf_counter() - began
    times = ms_an_image(exact, int8)
    features = _embedded(exact, images[pool])
    asked, asked_int8 = _embedded(exact, images[holdout]), _embedded(int8, images[holdout])
    truth = pictures.labels[holdout]
    for labels in LABELS:
        data = TrainingData(features[:labels], pictures.labels[pool[:labels]], pictures.classes)
        head = METHODS["transfer"].fit(data, {}, np.random.default_rng(0))
        right, right_int8 = (
            int((head.logits(one).argmax(axis=1) == truth).sum()) for one in (asked, asked_int8)
        )
        choice = choose(
            labels=len(truth), right=right, right_int8=right_int8, ms=times[1][0], ms_int8=times[1][1]
        )
        yield {
            "data": pictures.name,
            "labels": labels,
            "held out": len(truth),
            "% float32": 100 * right / len(truth),
            "% int8": 100 * right_int8 / len(truth),
            "points lost": round(100 * (right - right_int8) / len(truth), 2),
            **{f"ms at {batch}": f"{times[batch][0]:.2f} / {times[batch][1]:.2f}" for batch in BATCHES},
            "share at 1": times[1][1] / times[1][0],
            "MB": f"{len(exact) / 1e6:.1f} / {len(int8) / 1e6:.1f}",
            "made in s": took,
            "used": "yes" if choice.int8 else "no",
        }


def _embedded(onnx: bytes, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    embedder = Embedder(onnx)
    return np.concatenate([embedder.embed(images[at : at + 32]) for at in range(0, len(images), 32)])


if __name__ == "__main__":
    main()
