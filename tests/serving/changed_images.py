"""Pictures that look different, and are answered as the others are."""

import io
from collections.abc import Callable, Sequence

import numpy as np
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


def answered_alike(
    version: ModelVersion, images: Sequence[bytes], pool: Sequence[bytes], count: int
) -> list[bytes]:
    """So many of them, to which the version's answers are spread as they are to the pool."""
    predictor = predictor_load(version=version)

    def guesses(of: Sequence[bytes]) -> list[int]:
        opened = [Image.open(io.BytesIO(data)).convert("RGB") for data in of]
        pixels = np.stack([prepare(one, predictor.input_size) for one in opened])
        return [
            int(one)
            for at in range(0, len(of), 64)
            for one in predictor.predict(pixels[at : at + 64]).argmax(1)
        ]

    shares = np.bincount(guesses(pool), minlength=10) / len(pool)
    found = guesses(images)
    chosen: list[bytes] = []
    for label, share in enumerate(shares):
        mine = [data for data, guess in zip(images, found, strict=True) if guess == label]
        chosen += mine[: round(share * count) + 1]
    assert len(chosen) >= count, "enough of each answer"
    return [chosen[at] for at in np.random.default_rng(1).permutation(len(chosen))[:count]]
