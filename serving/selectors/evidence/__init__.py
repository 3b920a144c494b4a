"""What a rollout's mode decides by, out of the predictions and labels there are. One file a mode."""

from typing import TYPE_CHECKING

from serving.core.modes import mode_named
from serving.core.records import from_json
from serving.models import Rollout
from serving.selectors.evidence import ab, bandit, canary, interleaving, shadow

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_GATHERED = {
    "ab": ab.gather,
    "bandit": bandit.gather,
    "canary": canary.gather,
    "interleaving": interleaving.gather,
    "shadow": shadow.gather,
}


def evidence_of(rollout: Rollout) -> "DataclassInstance":
    """The mode's Evidence, as of now. Some SQL over the rollout's predictions: not for a request."""
    found: DataclassInstance = from_json(mode_named(rollout.mode).evidence, _GATHERED[rollout.mode](rollout))
    return found
