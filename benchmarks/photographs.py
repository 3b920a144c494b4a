"""Colour photographs with more of some classes than of others: which photograph is this a part of?"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.pictures import Pictures

FOLDER = Path("/usr/share/backgrounds/mate/nature")
LARGEST, SMALLEST = 160, 40  # pixels
CUT = 0.5  # of the parts are cut into four, and these again


def photographs() -> Pictures | None:
    """Square parts, of 40, 80 and 160 pixels, of the twelve photographs of nature in Debian's
    mate-backgrounds, a twelfth of the parts of the first, all of the last: 16 to 283. No two overlap, so that
    no pixel of a test picture was ever labelled. Nothing was ever tuned on them.

    None where the package is not installed.
    """
    rng = np.random.default_rng(0)
    paths = sorted(FOLDER.glob("*.jpg"))
    images: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    for label, path in enumerate(paths):
        with Image.open(path, formats=["JPEG"]) as opened:
            opened.draft("RGB", (1280, 800))  # as large as the smallest
            whole = opened.convert("RGB")
        whole.thumbnail((1280, 1280))
        parts = _parts(np.asarray(whole, np.uint8), rng)
        kept = rng.permutation(len(parts))[: len(parts) * (label + 1) // len(paths)]
        images += [parts[place] for place in kept]
        labels += [label] * len(kept)
    if not images:
        return None
    return Pictures("photographs", images, np.array(labels, np.int64), len(images) // 4)


def _parts(pixels: NDArray[np.uint8], rng: np.random.Generator) -> list[NDArray[np.uint8]]:
    """(H, W, 3) -> squares."""
    squares = [
        pixels[top : top + LARGEST, left : left + LARGEST]
        for top in range(0, pixels.shape[0] - LARGEST + 1, LARGEST)
        for left in range(0, pixels.shape[1] - LARGEST + 1, LARGEST)
    ]
    found = []
    while squares:
        one = squares.pop()
        half = len(one) // 2
        if half < SMALLEST or rng.random() > CUT:
            found.append(one)
        else:
            squares += [one[:half, :half], one[:half, half:], one[half:, :half], one[half:, half:]]
    return found
