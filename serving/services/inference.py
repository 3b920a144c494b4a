"""What models make of the images of one request. Images go through a backbone that models share once."""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from learning.core.predictor import Embedder
from serving.services.admission import TooLate
from serving.services.loaded import LoadedModel

logger = logging.getLogger(__name__)

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


class ModelFailed(RuntimeError):
    """It raised, or what it said is not a probability."""


@dataclass(frozen=True)
class Said:
    """A model's answer to one image."""

    classes: Sequence[str]
    probabilities: Floats  # (K,)
    infer_ms: float  # of the batch it was in

    def ranked(self, top: int | None = None) -> list[tuple[str, float]]:
        """Labels with their probabilities, the likeliest first."""
        order = np.argsort(-self.probabilities, kind="stable")[:top]
        return [(self.classes[i], float(self.probabilities[i])) for i in order]

    def likeliest(self, top: int) -> list[dict[str, str | float]]:
        return [{"label": label, "probability": sure} for label, sure in self.ranked(top)]


@dataclass(frozen=True)
class Seen:
    """What a backbone has made of some images."""

    features: Floats  # (B, D)
    ms: Sequence[float]  # of the batch that each was in


@dataclass
class Batch:
    """The images of a request by their row, and what backbones have made of them so far."""

    pixels: Mapping[int, Sequence[Pixels]]  # by input size, (S, S, 3) of each row
    until: float | None = None  # of `time.monotonic`: nobody wants the answers that begin later
    clock: Callable[[], float] = time.perf_counter  # by which `infer_ms` goes
    _wanted: dict[Embedder, set[int]] = field(default_factory=lambda: defaultdict(set))
    # (D,) and the ms of the batch it was made in
    _features: dict[Embedder, dict[int, tuple[Floats, float]]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    @classmethod
    def of_features(cls, model: LoadedModel, seen: Seen, clock: Callable[[], float]) -> "Batch":
        """Of images that the model's backbone has seen."""
        made = cls({}, clock=clock)
        of_rows = zip(seen.features, seen.ms, strict=True)
        made._features[model.predictor.embedder] = dict(enumerate(of_rows))
        return made

    def announce(self, model: LoadedModel, rows: Iterable[int]) -> None:
        """The model will be asked of these: its backbone then sees them in one batch with all others."""
        self._wanted[model.predictor.embedder].update(rows)

    def features_of(self, model: LoadedModel) -> Mapping[int, Floats]:
        """What the model's backbone has made of the images so far, (D,) each, by row."""
        made = self._features.get(model.predictor.embedder, {})
        return {row: one for row, (one, _) in made.items()}

    def seen_by(self, model: LoadedModel, rows: Sequence[int]) -> Seen | None:
        """None unless the model's backbone has seen all of these."""
        made = self._features.get(model.predictor.embedder, {})
        if not made.keys() >= set(rows):
            return None
        return Seen(np.stack([made[row][0] for row in rows]), [made[row][1] for row in rows])

    def ask(self, model: LoadedModel, rows: Sequence[int]) -> dict[int, Said]:
        """The model's answers to these rows. Raises ModelFailed or TooLate."""
        predictor = model.predictor
        try:
            made = self._embedded(predictor.embedder, predictor.input_size, rows)
            started = self.clock()
            found = predictor.predict_features(np.stack([made[row][0] for row in rows]))  # (B, K)
            took = (self.clock() - started) * 1000
        except TimeoutError as late:
            raise TooLate from late
        except Exception as error:
            raise ModelFailed(f"Version {model.number} failed: {error}") from error
        if not np.isfinite(found).all():
            raise ModelFailed(f"Version {model.number} answered with numbers that are not finite.")
        return {
            row: Said(predictor.classes, said, took + made[row][1])
            for row, said in zip(rows, found, strict=True)
        }

    def answers(self, model: LoadedModel, rows: Sequence[int]) -> dict[int, Said]:
        """The model's answers to those of the rows that it does not fail on. Raises TooLate.

        Where it fails on many, it is asked about each alone: mostly one of them is at fault.
        """
        try:
            return self.ask(model, rows)
        except ModelFailed as failure:
            logger.warning("%s (asked about %d images)", failure, len(rows), exc_info=failure)
        if len(rows) == 1:
            return {}
        # What others were to be asked would be seen with each of these, and fail with the one at fault.
        self._wanted[model.predictor.embedder].clear()
        said: dict[int, Said] = {}
        for row in rows:
            with suppress(ModelFailed):
                said.update(self.ask(model, [row]))
        return said

    def _embedded(
        self, embedder: Embedder, size: int, rows: Sequence[int]
    ) -> Mapping[int, tuple[Floats, float]]:
        made = self._features[embedder]
        missing = sorted({*rows, *self._wanted[embedder]} - made.keys())
        if missing:
            started = self.clock()
            stacked = np.stack([self.pixels[size][row] for row in missing])
            features = embedder.embed(stacked, self.until)  # (B, D)
            took = (self.clock() - started) * 1000
            made.update({row: (one, took) for row, one in zip(missing, features, strict=True)})
        return made
