"""Pictures that look different, and are answered as the others are."""

import io
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from learning.core.backbones import prepare
from learning.models import ModelVersion
from learning.services.artifacts import predictor_load


def changed(data: bytes, change: Callable[[Image.Image], Image.Image]) -> bytes:
    out = io.BytesIO()
    change(Image.open(io.BytesIO(data)).convert("RGB")).save(out, "PNG")
    return out.getvalue()


def noisy(image: Image.Image) -> Image.Image:
    pixels = np.asarray(image, float)
    noise = np.random.default_rng(pixels.astype(int).sum()).normal(0, 8, pixels.shape)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


def blurred(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(1))


def guesses(version: ModelVersion, images: Sequence[bytes]) -> NDArray[np.int64]:
    """The number of the version's answer to each."""
    predictor = predictor_load(version=version)
    opened = [Image.open(io.BytesIO(data)).convert("RGB") for data in images]
    pixels = np.stack([prepare(one, predictor.input_size) for one in opened])
    parts = [predictor.predict(pixels[at : at + 64]).argmax(1) for at in range(0, len(pixels), 64)]
    return np.concatenate(parts)


def answered_alike(
    version: ModelVersion, images: Sequence[bytes], usual: NDArray[np.int64], count: int
) -> list[bytes]:
    """So many of them, to which the version's answers are spread as the usual ones."""
    shares = np.bincount(usual, minlength=10) / len(usual)
    found = guesses(version, images)
    chosen: list[bytes] = []
    for label, share in enumerate(shares):
        mine = [data for data, guess in zip(images, found, strict=True) if guess == label]
        chosen += mine[: round(share * count) + 1]
    assert len(chosen) >= count, "enough of each answer"
    return [chosen[at] for at in np.random.default_rng(1).permutation(len(chosen))[:count]]
