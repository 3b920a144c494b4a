"""Real images to start with: files in a folder, which then come in by the product's own import."""

import gzip
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from learning.core.lazy import lazy

datasets = lazy("sklearn.datasets", often=False)

FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")
FASHION_LABELS = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
Picture = tuple[NDArray[np.uint8], str]  # (height, width) grey values, and the known label


class DemoMissing(Exception):
    """The demo's files are not on this machine; the message says how to get them."""


@dataclass(frozen=True)
class Demo:
    slug: str
    name: str
    prompt: str
    labels: tuple[str, ...]
    count: int
    pictures: Callable[[], Iterator[Picture]]


def _digits() -> Iterator[Picture]:
    data = datasets.load_digits()
    for image, target in zip(data.images, data.target, strict=True):
        yield np.round(image * (255 / 16)).astype(np.uint8), str(target)  # 0..16 -> 0..255


def _fashion() -> Iterator[Picture]:
    for part in ("train", "t10k"):
        images = _idx(FASHION_FOLDER / f"{part}-images-idx3-ubyte.gz")  # (N, 28, 28)
        targets = _idx(FASHION_FOLDER / f"{part}-labels-idx1-ubyte.gz")  # (N,)
        for image, target in zip(images, targets, strict=True):
            yield image, FASHION_LABELS[target]


def _idx(path: Path) -> NDArray[np.uint8]:
    """MNIST's idx format: 0, 0, 8 (bytes), dimensions; the sizes, 4 bytes each; the bytes."""
    data = gzip.decompress(path.read_bytes())
    dimensions = data[3]
    sizes = np.frombuffer(data, ">u4", dimensions, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(sizes)


DEMOS = {
    "digits": Demo("digits", "Handwritten digits", "Which digit is it?", tuple("0123456789"), 1_797, _digits),
    "fashion-mnist": Demo("fashion-mnist", "Fashion-MNIST", "What is it?", FASHION_LABELS, 70_000, _fashion),
}


def check(name: str) -> None:
    """Raises DemoMissing when the demo's data is not there. ("none" always is.)"""
    if name == "fashion-mnist" and not (FASHION_FOLDER / "train-images-idx3-ubyte.gz").exists():
        raise DemoMissing(
            f"The Fashion-MNIST files are not in {FASHION_FOLDER}: on Debian, get them with "
            "`apt-get install dataset-fashion-mnist` (from non-free), or start with --demo digits."
        )


def write_pngs(demo: Demo, data: Path, say: Callable[[str], None]) -> Path:
    """Write the demo's images as PNG files into `data`/demo/<slug>; return that folder.

    The known labels go beside it, into <slug>-truth.json ({digest of a file: label}): the project never sees
    them, only the `simulate` command reads them.
    """
    root = data / "demo"
    folder = root / demo.slug
    truth_file = root / f"{demo.slug}-truth.json"
    if truth_file.exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    truth = {}
    for number, (pixels, label) in enumerate(demo.pictures()):
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "PNG")
        (folder / f"{number:05}.png").write_bytes(out.getvalue())
        truth[hashlib.sha256(out.getvalue()).hexdigest()] = label
        if (number + 1) % 10_000 == 0:
            say(f"{number + 1:,} of {demo.count:,} images of {demo.name} written")
    # Written last and in one step: where it is, the folder is complete.
    temporary = truth_file.with_suffix(".new")
    temporary.write_text(json.dumps(truth))
    temporary.replace(truth_file)
    return folder
