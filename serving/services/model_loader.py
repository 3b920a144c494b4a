"""Loading the models that answer, and remembering which could not be loaded, and why."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from learning.models import ModelVersion
from learning.services.artifacts import predictor_load
from serving.services.loaded import LoadedModel

logger = logging.getLogger(__name__)

# After a model that cannot be loaded, so many polls pass before the next try.
POLLS_BETWEEN_TRIES = 20


@dataclass
class ModelLoader:
    """For one thread; others may read what it remembers."""

    done: Callable[[], None]  # called when a load ends, well or not
    loading: bool = False
    why: dict[int, str] = field(default_factory=dict)  # of versions that float32 cannot load
    tries: Counter[int] = field(default_factory=Counter)  # of these versions, one after the other
    # version and int8 backbone -> polls to let pass before trying to load it again
    _failed: dict[tuple[int, str], int] = field(default_factory=dict)

    def forget(self) -> None:
        self.why, self.tries, self._failed = {}, Counter(), {}

    def best(
        self,
        version_id: int,
        int8: str,
        standing: LoadedModel | None = None,
        check: Callable[[LoadedModel], None] = lambda model: None,
    ) -> LoadedModel | None:
        """The version, on its int8 backbone if it has one that can be loaded; else what stands."""
        for wanted in dict.fromkeys((int8, "")):
            if standing and (standing.version_id, standing.int8) == (version_id, wanted):
                return standing
            model = self._load(version_id, wanted, check)
            if model is not None:
                return model
        return standing

    def _load(self, version_id: int, int8: str, check: Callable[[LoadedModel], None]) -> LoadedModel | None:
        """None if it cannot be loaded, or `check` raises. A rollout guards against errors of its arms."""
        key = (version_id, int8)
        if self._failed.get(key, 0) > 0:
            self._failed[key] -= 1
            return None
        version = ModelVersion.objects.filter(pk=version_id).first()
        if version is None:
            return None
        self.loading = True
        try:
            predictor = predictor_load(version=version, int8=int8)
            model = LoadedModel(version.pk, version.number, version.digest, predictor, int8)
            check(model)
        except Exception as error:
            said = "Version %d of project %d cannot be loaded in %s."
            logger.exception(said, version.number, version.project_id, "int8" if int8 else "float32")
            self._failed[key] = POLLS_BETWEEN_TRIES
            if not int8:
                self.why[version_id] = f"Version {version.number} cannot be loaded: {error}"[:300]
                self.tries[version_id] += 1
            return None
        finally:
            self.loading = False
            self.done()
        self._failed.pop(key, None)
        self.why.pop(version_id, None)
        self.tries.pop(version_id, None)
        return model
