"""False notices of drift, and what is noticed, in windows of live traffic."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from benchmarks.pictures import digits
from benchmarks.rollouts.table import Table
from learning.core.backbones import BACKBONES, prepare
from learning.core.predictor import Embedder
from serving.core.statistics.drift import ALPHA, NOTICED, WINDOW, answers_drift
from serving.core.statistics.input_drift import input_reference, inputs_drift

Singles = NDArray[np.float32]
Pixels = NDArray[np.uint8]
POOL, CLASSES = 2000, 10
DIGITS = 800  # in a pool; the rest is live traffic
NONE = "without drift"


def simulate(table: Table, rng: np.random.Generator, *, quick: bool) -> None:
    _answers(table, rng, 1000 if quick else 20_000)
    _inputs(table, rng, 100 if quick else 1000, list(CHANGES)[:2] if quick else list(CHANGES))


def _answers(table: Table, rng: np.random.Generator, windows: int) -> None:
    p = np.arange(1, CLASSES + 1) / np.arange(1, CLASSES + 1).sum()
    moved = p * np.exp(0.3 * (-1) ** np.arange(CLASSES))
    names = [str(one) for one in range(CLASSES)]
    for told, live in ((NONE, p), ("classes 35% up and 26% down", moved / moved.sum())):
        found, many = 0, windows if told == NONE else windows // 10
        for _ in range(many):
            histograms = rng.multinomial(POOL, p), rng.multinomial(WINDOW, live)
            pool, sent = (dict(zip(names, one.tolist(), strict=True)) for one in histograms)
            drift = answers_drift(pool, sent, rng)
            found += drift.p < NOTICED
        _tell(table, "of answers", told, found, many)


def _inputs(table: Table, rng: np.random.Generator, windows: int, kinds: Sequence[str]) -> None:
    """Real pictures: each time a pool is drawn anew, and what is sent of the rest."""
    pictures = digits()
    backbone = BACKBONES["efficientnet-lite0"]
    embedder = Embedder(backbone.export(), threads=1)
    changed = {
        told: _embedded(embedder, backbone.input_size, pictures.images, CHANGES[told], rng) for told in kinds
    }
    noticed = dict.fromkeys(kinds, 0)
    for number in range(windows):
        drawn = rng.permutation(len(pictures.images))
        reference = input_reference(changed[NONE][drawn[:DIGITS]], rng)
        live = drawn[DIGITS : DIGITS + WINDOW]
        for told, features in changed.items():
            if told == NONE or number < windows // 20:
                noticed[told] += inputs_drift(reference.places(features[live]), reference, rng).p < NOTICED
    for told, found in noticed.items():
        _tell(
            table,
            f"of inputs, digits among {DIGITS},",
            told,
            found,
            windows if told == NONE else windows // 20,
        )


def _blurred(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(image.width / 40))


def _noisy(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    pixels = np.asarray(image, float)
    return Image.fromarray(np.clip(pixels + rng.normal(0, 8, pixels.shape), 0, 255).astype(np.uint8))


def _inverted(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return Image.fromarray(255 - np.asarray(image))


def _dimmed(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.point(lambda value: value * 0.9)


def _one_in_twenty(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return _inverted(image, rng) if rng.random() < 0.05 else image


CHANGES: dict[str, Callable[[Image.Image, np.random.Generator], Image.Image]] = {
    NONE: lambda image, rng: image,
    "blurred by 1/40 of the width": _blurred,
    "noise of 3% of white": _noisy,
    "a tenth darker": _dimmed,
    "inverted": _inverted,
    "one in twenty inverted": _one_in_twenty,
}


def _embedded(
    embedder: Embedder,
    size: int,
    images: Sequence[Pixels],
    change: Callable[[Image.Image, np.random.Generator], Image.Image],
    rng: np.random.Generator,
) -> Singles:
    """(N, D)"""
    found = []
    for start in range(0, len(images), 64):
        opened = (Image.fromarray(one).convert("RGB") for one in images[start : start + 64])
        found.append(embedder.embed(np.stack([prepare(change(one, rng), size) for one in opened])))
    return np.concatenate(found)


def _tell(table: Table, what: str, told: str, found: int, windows: int) -> None:
    name = f"drift {what} noticed in {WINDOW} images, {told}"
    if told == NONE:
        # Three standard errors above what is asked for are chance.
        share = 100 * found / windows
        aim = 100 * (ALPHA / 2 + 3 * np.sqrt(ALPHA / 2 / windows))
        table.claim(name, round(float(aim), 3), share, "%", windows)
    else:
        table.tell(name, 100 * found / windows, "%", windows)
