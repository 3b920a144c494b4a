"""A model's inference before anyone asks it, and while readiness is asked: one that cannot answer a plain
picture answers nobody.
"""

import io
import logging
import threading
import time
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from PIL import Image

from labelling.core.images import open_rgb
from learning.core.backbones import prepare
from serving.services.inference import Batch, ModelFailed
from serving.services.loaded import LoadedModel

logger = logging.getLogger(__name__)

FRESH_SECONDS = 0.5  # so that what has changed is told within a second
STUCK_SECONDS = 5.0  # an inference takes some hundredths, on a busy machine some tenths


class Pulse:
    """Whether any model of this process answers now, by a real inference: one at a time, whoever asks."""

    def __init__(self) -> None:
        self._trying = threading.Lock()
        self._began = self._ended = float("-inf")
        self._works = True

    def beats(self, models: Iterable[LoadedModel]) -> bool:
        """By what was found half a second ago at most. Who asks while another finds out waits for nothing."""
        if time.monotonic() - self._ended > FRESH_SECONDS and self._trying.acquire(blocking=False):
            try:
                self._began = time.monotonic()
                self._works = any(map(_answers, models))
                self._ended = time.monotonic()
            finally:
                self._trying.release()
        stuck = self._began > self._ended and time.monotonic() - self._began > STUCK_SECONDS
        return self._works and not stuck


def _answers(model: LoadedModel) -> bool:
    try:
        model_try(model)
    except ModelFailed as error:
        logger.error("Version %d, which is loaded, does not answer any more: %s", model.number, error)
        return False
    return True


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
