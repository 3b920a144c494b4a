"""What a learner compared and chose some labels ago: comparing anew for every label would take seconds."""

from collections.abc import Mapping
from typing import Any

from learning.core.methods import Head
from learning.models import Learner, ModelVersion
from learning.services.backbones import backbone_artifact
from learning.services.snapshots import Snapshot

# Until there are so many times as many labels, or as many fewer. The best of the methods changes slowly:
# once between 40 and 400 labels, from self-training to semi-supervised (benchmarks.methods).
GROWN = 1.25


def method_config(
    *, learner: Learner, snapshot: Snapshot, rules: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The settings of the learner's method: what its newest version chose, as long as that holds.

    Of the same snapshot the same as before, so that the same labels give the same model. `rules`: the record
    of those that are learned from.
    """
    last = ModelVersion.objects.filter(learner=learner).order_by("-number").first()
    if last is None or last.card["method"] != learner.method or "chosen" not in last.card:
        return {}
    card = last.card
    if card["snapshot"] == snapshot.digest:
        config: dict[str, Any] = card["config"]
        return config
    backbone = backbone_artifact(name=learner.backbone)
    chosen, count = card["chosen"], len(snapshot.pool.labels)
    holds = (
        card["backbone"]["digest"] == backbone.digest
        and [one["id"] for one in card["classes"]] == [label.pk for label in snapshot.classes]
        and (card.get("rules") or {}).get("rules") == (rules or {}).get("rules")
        and chosen["labels"] / GROWN < count < chosen["labels"] * GROWN
    )
    return {"chosen": chosen} if holds else {}


def choice_of(head: Head, config: Mapping[str, Any], labels: int) -> dict[str, Any] | None:
    """What the head was chosen by: now, on so many labels, or before, if the settings say so."""
    if not head.chosen:
        return None
    found: dict[str, Any] = config.get("chosen") or {"method": head.chosen, "labels": labels}
    return found
