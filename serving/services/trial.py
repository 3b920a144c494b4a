"""A model's first inference, before anyone asks it: one that cannot answer a plain picture answers nobody."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image

from labelling.core.images import open_rgb
from learning.core.backbones import prepare
from serving.services.inference import Batch, ModelFailed
from serving.services.loaded import LoadedModel


def model_try(model: LoadedModel) -> None:
    """The way of a client's image, from the bytes of its file to probabilities. Raises ModelFailed."""
    size = model.predictor.input_size
    said = Batch({size: [prepare(open_rgb(_sample()), size)]}).ask(model, [0])[0]
    total = float(said.probabilities.sum())
    if not np.isclose(total, 1, atol=1e-3):
        raise ModelFailed(f"Version {model.number} gives probabilities that add up to {total:.3f}, not 1.")


@lru_cache(maxsize=1)
def _sample() -> bytes:
    """A PNG: every colour fades into others."""
    across = np.linspace(0, 255, 64, dtype=np.uint8)
    red, green = np.meshgrid(across, across)
    out = io.BytesIO()
    Image.fromarray(np.stack([red, green, 255 - red], axis=-1)).save(out, "PNG")
    return out.getvalue()
