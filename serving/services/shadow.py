"""What the challenger of a shadow rollout would have answered: asked after the answer has gone out."""

import logging
from dataclasses import dataclass

from labelling.models import Wanted
from serving.core.modes import CHALLENGER
from serving.models import Prediction
from serving.services.inference import Batch
from serving.services.kept_images import Kept
from serving.services.loaded import LiveRollout
from serving.services.metrics import predictions_count
from serving.services.prediction_log import predictions_store
from serving.services.production import DISAGREED_ON

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mirrored:
    """Images that the challenger is to see, and what the clients were told."""

    live: LiveRollout
    batch: Batch
    told: tuple[Prediction, ...]  # of each row
    project: str  # its slug
    images: tuple[bytes, ...] = ()  # as they were sent, where the project keeps some

    @property
    def rollout_id(self) -> int:
        return self.live.plan.id

    @property
    def unseen(self) -> int:
        return len(self.told)

    def do(self) -> None:
        """Ask the challenger, and keep what it says beside the champion's answer."""
        model = self.live.arms[CHALLENGER]
        rows = list(range(len(self.told)))
        said = self.batch.answers(model, rows)
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
        predictions_store(predictions=made)
        predictions_count(self.project, self.live.plan.mode, made)
        for told, shadow, data in zip(self.told, made, self.images, strict=False):
            if shadow.top and shadow.top[0]["label"] != told.top[0]["label"] and told.inclusion is None:
                what = (self.rollout_id, told.project_id, told.digest, data)
                Kept(*what, Wanted.Kind.TRAFFIC, DISAGREED_ON).do()
