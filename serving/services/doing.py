"""What the process beside the web processes does: what they have handed over, a few times a second."""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import DatabaseError, close_old_connections
from django.db.models import F

from serving.core.modes import CHALLENGER
from serving.models import Arm, Prediction, Rollout
from serving.services.handing import Handed, Waiting
from serving.services.kept_images import Kept
from serving.services.loaded import LoadedModel
from serving.services.metrics import afterwards_dropped, predictions_count
from serving.services.model_loader import ModelLoader
from serving.services.packing import unpacked
from serving.services.prediction_log import predictions_store
from serving.services.shadow import Mirrored

logger = logging.getLogger(__name__)

# What comes meanwhile is one look at the rollouts and one insertion, which live traffic feels less than many.
SECONDS = 0.2
TOGETHER = 64  # messages; the others wait where the oldest make room
AFTER_FAILURE = 1.0

Made = list[tuple[Mirrored, list[Prediction]]]


def rollouts_running() -> set[int]:
    return set(Rollout.objects.filter(state=Rollout.State.RUNNING).values_list("pk", flat=True))


@dataclass
class Doing:
    """For one thread."""

    _models: ModelLoader = field(default_factory=lambda: ModelLoader(done=lambda: None))
    _dropped: Counter[int] = field(default_factory=Counter)  # images by rollout, not told yet

    def turn(self, waiting: Waiting) -> None:
        """What waits, once something does."""
        waiting.come()
        time.sleep(SECONDS)
        try:
            close_old_connections()
            running = rollouts_running()
        except DatabaseError:
            # Until it is back, the newest wait.
            logger.exception("The rollouts could not be read; what is handed over waits.")
            time.sleep(AFTER_FAILURE)
            return
        self.do(waiting.take(TOGETHER), running)

    def do(self, handed: Sequence[Handed], running: set[int]) -> None:
        """Of a rollout that no longer runs, nothing. What fails is not done again: nobody waits for it."""
        models: dict[tuple[int, str], LoadedModel | None] = {}
        made: Made = []
        for one in handed:
            self._dropped[one.rollout_id] += one.dropped
            try:
                job = _job(one.content)
                if isinstance(job, Kept):
                    job.do()
                elif job.rollout_id not in running:
                    self._drop(one.rollout_id, one.images)
                else:
                    key = (job.version_id, job.int8)
                    if key not in models:
                        models[key] = self._models.best(*key)
                    made.append((job, job.answers(_known(models[key], job))))
            except Exception:
                logger.exception("What rollout %d wanted after an answer failed.", one.rollout_id)
                self._drop(one.rollout_id, one.images)
        self._keep(made)
        self._tell_dropped()

    def _keep(self, made: Made) -> None:
        """All in one insertion; where one of them cannot be kept, each in its own."""
        if not made:
            return
        try:
            predictions_store(predictions=[one for _, answers in made for one in answers])
        except Exception as failure:
            if len(made) > 1:
                for one in made:
                    self._keep([one])
                return
            # The project or the key is gone, or the database.
            [(job, _)] = made
            logger.warning("Rollout %d, in the shadow, cannot be kept: %s", job.rollout_id, failure)
            self._drop(job.rollout_id, job.unseen)
            return
        for job, answers in made:
            predictions_count(job.project, job.mode, answers)
            for kept in job.disagreed(answers):
                try:
                    kept.do()
                except Exception:
                    logger.exception("An image that models disagree on could not be kept.")

    def _drop(self, rollout_id: int, images: int) -> None:
        self._dropped[rollout_id] += images
        if images:
            afterwards_dropped(images)

    def _tell_dropped(self) -> None:
        try:
            for rollout_id, images in list(self._dropped.items()):
                if images:
                    arm = Arm.objects.filter(rollout=rollout_id, name=CHALLENGER)
                    arm.update(dropped=F("dropped") + images)
                del self._dropped[rollout_id]
        except DatabaseError:
            logger.exception("How many images were dropped is told later.")


def _job(content: bytes) -> Mirrored | Kept:
    kind, header, parts = unpacked(content)
    kinds: dict[str, type[Mirrored] | type[Kept]] = {"mirrored": Mirrored, "kept": Kept}
    return kinds[kind].unpacked(header, parts)


def _known(model: LoadedModel | None, job: Mirrored) -> LoadedModel:
    """Raises RuntimeError for a model that cannot be loaded, or stands on another backbone."""
    if model is None or model.int8 != job.int8:
        raise RuntimeError(f"version {job.version_id} cannot be loaded as the web processes have it")
    return model
