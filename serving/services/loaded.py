"""What a process holds of the models that answer: read by requests, never changed in place."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from learning.core.predictor import Predictor
from serving.core.assignment import Range, ranges
from serving.core.modes import Mode, Split, State, mode_named
from serving.core.records import from_json
from serving.core.statistics.input_drift import InputReference
from serving.selectors import RolloutPlan


@dataclass(frozen=True)
class LoadedModel:
    version_id: int
    number: int
    digest: str
    predictor: Predictor
    int8: str = ""  # digest of the int8 backbone it stands on; "" on float32

    @property
    def precision(self) -> str:
        return "int8" if self.int8 else "float32"


@dataclass(frozen=True, eq=False)
class LoadedReference:
    """What the images that clients send are compared with."""

    digest: str
    embedder: str  # digest of the backbone's ONNX: only its features can be compared
    inputs: InputReference

    @property
    def mark(self) -> bytes:
        """Begins each place that was found by it."""
        return bytes.fromhex(self.digest[:16])


@dataclass(frozen=True)
class LiveRollout:
    """A running rollout whose arms are all loaded."""

    plan: RolloutPlan
    arms: Mapping[str, LoadedModel]
    mode: Mode[Any, Any]
    config: Any
    state: State
    _splits: dict[str, tuple[Split, list[Range]]] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, plan: RolloutPlan, arms: Mapping[str, LoadedModel]) -> "LiveRollout":
        """Raises ValueError for a plan that makes no sense."""
        mode = mode_named(plan.mode)
        return cls(plan, arms, mode, mode.config_from(plan.config), from_json(State, plan.progress))

    def split(self, context: str) -> tuple[Split, list[Range]]:
        """How requests of this context go, and where each arm's units lie."""
        if context not in self._splits:
            split = self.mode.split(self.config, self.state, context)
            # Two threads may both write the same: no lock is needed.
            self._splits[context] = (split, ranges(split.weights))
        return self._splits[context]

    @property
    def by_context(self) -> bool:
        """The champion's guess decides how an image goes, or will: it is asked first.

        Also before the shares differ: a class gets shares of its own by labels of both arms, and if the
        arms' features differ, nobody else would say which class an image of the challenger's is of.
        """
        return bool(getattr(self.config, "by_class", False)) or any(self.state.weights.keys() - {""})


@dataclass(frozen=True)
class Champion:
    """What answers a question of a project."""

    model: LoadedModel
    question_id: int
    key: str  # the question's
    several: bool  # its project asks other questions too
    keep_images: bool = False  # its project keeps those that are worth asking about
    rollout: LiveRollout | None = None
    reference: LoadedReference | None = None  # of the model's backbone
    drifted: bool = False  # from it, at the last look
    audit_share: float = 0.0  # of images sent outside of a rollout, where its project keeps some

    @property
    def version_id(self) -> int:
        return self.model.version_id

    @property
    def models(self) -> list[LoadedModel]:
        """All that may be asked."""
        return [self.model, *(self.rollout.arms.values() if self.rollout else ())]

    @property
    def classes(self) -> list[str]:
        return self.model.predictor.classes
