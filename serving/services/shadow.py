"""What the challenger of a shadow rollout would have answered: asked after the answer has gone out, by the
process beside the web processes, of what they have handed over.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labelling.models import Wanted
from serving.core.modes import CHALLENGER
from serving.models import Prediction
from serving.services.inference import Batch, Pixels, Seen
from serving.services.kept_images import Kept
from serving.services.loaded import LiveRollout, LoadedModel
from serving.services.packing import packed
from serving.services.production import DISAGREED_ON

logger = logging.getLogger(__name__)

# What a challenger's row has from the answer that the client got.
_TOLD = (
    *("id", "project_id", "api_key_id", "request_id", "digest", "rollout_id", "phase", "unit", "bucket"),
    *("audited", "inclusion", "top", "decode_ms"),
)
# The processor's time, not the clock's: how long this process had to wait says nothing of the model.
_clock = time.thread_time


@dataclass(frozen=True)
class Mirrored:
    """Images that the challenger is to see, as they are handed over."""

    project: str  # its slug
    mode: str
    rollout_id: int
    version_id: int  # the challenger
    int8: str  # digest of its int8 backbone, or ""
    told: tuple[Prediction, ...]  # what the clients were told, of each image
    seen: Seen | Sequence[Pixels]  # by the challenger's backbone, which mostly is the champion's; else pixels
    images: tuple[bytes, ...] = ()  # as they were sent, where the project keeps some

    @property
    def unseen(self) -> int:
        return len(self.told)

    @classmethod
    def of(
        cls,
        live: LiveRollout,
        batch: Batch,
        rows: Sequence[int],
        told: tuple[Prediction, ...],
        project: str,
        images: tuple[bytes, ...],
    ) -> "Mirrored":
        """`told` and `images` are of these rows of the batch."""
        model = live.arms[CHALLENGER]
        pixels = batch.pixels[model.predictor.input_size]
        seen = batch.seen_by(model, rows) or [pixels[row] for row in rows]
        plan = live.plan
        return cls(project, plan.mode, plan.id, model.version_id, model.int8, told, seen, images)

    def packed(self) -> bytes:
        if isinstance(self.seen, Seen):
            array, ms = self.seen.features, self.seen.ms
        else:
            array, ms = np.stack(self.seen), None
        header = {
            "project": self.project,
            "mode": self.mode,
            "rollout_id": self.rollout_id,
            "version_id": self.version_id,
            "int8": self.int8,
            "told": [{name: getattr(one, name) for name in _TOLD} for one in self.told],
            "shape": array.shape,
            "ms": ms,
        }
        return packed("mirrored", header, [array.tobytes(), *self.images])

    @classmethod
    def unpacked(cls, header: dict[str, Any], parts: Sequence[bytes]) -> "Mirrored":
        told = tuple(Prediction(**one) for one in header.pop("told"))
        shape, ms = header.pop("shape"), header.pop("ms")
        array = np.frombuffer(parts[0], np.uint8 if ms is None else np.float32).reshape(shape)
        seen = list(array) if ms is None else Seen(array, ms)
        return cls(**header, told=told, seen=seen, images=tuple(parts[1:]))

    def answers(self, model: LoadedModel) -> list[Prediction]:
        """What the challenger says of each image."""
        if isinstance(self.seen, Seen):
            batch = Batch.of_features(model, self.seen, _clock)
        else:
            batch = Batch({model.predictor.input_size: self.seen}, clock=_clock)
        rows = list(range(len(self.told)))
        said = batch.answers(model, rows)
        if len(said) < len(rows):
            logger.warning(
                "Rollout %d, in the shadow: %d images failed.", self.rollout_id, len(rows) - len(said)
            )
        made = []
        for row, told in enumerate(self.told):
            heard = said.get(row)
            made.append(
                Prediction(
                    project_id=told.project_id,
                    api_key_id=told.api_key_id,
                    model_version_id=model.version_id,
                    precision=model.precision,
                    request_id=told.request_id,
                    digest=told.digest,
                    arm=CHALLENGER,
                    status=Prediction.Status.SHADOW if heard else Prediction.Status.BROKEN,
                    rollout_id=told.rollout_id,
                    phase=told.phase,
                    unit=told.unit,
                    bucket=told.bucket,
                    audited=told.audited,
                    inclusion=told.inclusion,
                    shadow_of=told.id,
                    top=heard.likeliest(len(told.top)) if heard else [],
                    decode_ms=told.decode_ms,
                    infer_ms=heard.infer_ms if heard else 0.0,
                )
            )
        return made

    def disagreed(self, answers: Sequence[Prediction]) -> list[Kept]:
        """The images to keep, of which the two models say something else."""
        found = []
        for told, shadow, data in zip(self.told, answers, self.images, strict=False):
            if shadow.top and shadow.top[0]["label"] != told.top[0]["label"] and told.inclusion is None:
                what = (self.rollout_id, told.project_id, told.digest, data)
                found.append(Kept(*what, Wanted.Kind.TRAFFIC, DISAGREED_ON))
        return found
