"""One way to learn features, done for a run: read, train, store. And which ways a run takes."""

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.core.files.storage import default_storage

from labelling.services.blobs import file_write
from learning.core.augmentation import Augment
from learning.core.backbones.base import export
from learning.core.lazy import lazy
from learning.core.learning_rate import rate_for
from learning.core.pretraining import PRETRAININGS, Lessons, Loop, Pretraining
from learning.models import PretrainingRun
from learning.selectors import learner_of
from learning.services.backbones import (
    BackboneArtifact,
    backbone_artifact,
    backbone_network,
    backbone_store,
)
from learning.services.lessons import lessons_lacking, lessons_read
from learning.services.policies import DEFAULT, augment_named
from learning.services.work import work_owned

if TYPE_CHECKING:
    from learning.core.networks.network import Network

batch_trial = lazy("learning.core.networks.batch_trial", often=False)
pretrain = lazy("learning.core.networks.pretrain", often=False)
stored = lazy("learning.core.networks.stored", often=False)
torch = lazy("torch", often=False)

# By itself: what needs no labels first, then the last of it further, where there are labels.
BY_ITSELF = "by-itself"
FIRST, FURTHER = ("pca", "vicreg"), ("softmatch",)
THREADS = 2
MEASURING = 0.1  # of a run's minutes: so much of what training may take is for choosing its batch

Seconds = Callable[[], float]


def ways_of(run: PretrainingRun) -> list[list[Pretraining]]:
    """The ways that a run takes, in stages; what a stage makes is compared before the next one begins."""
    if run.method != BY_ITSELF:
        return [[PRETRAININGS[run.method]]]
    able = [PRETRAININGS[name] for name in FURTHER]
    further = [way for way in able if not lessons_lacking(project=run.project, way=way)]
    stages = [[PRETRAININGS[name] for name in FIRST], further]
    return [stage for stage in stages if stage]


def features_learn(
    *, run: PretrainingRun, way: Pretraining, begun: float, share: float, seconds: Seconds | None
) -> BackboneArtifact:
    """The backbone that comes out, or came out before a worker died. Progress moves from `begun` by `share`.

    `seconds` says, when it is about to be planned, how long training may take; without it, as long as usual.

    Raises ValueError, with a sentence, for what cannot be learned from.
    """
    made: dict[str, str] = run.config.get("made", {})
    if way.name in made:
        return backbone_artifact(name=made[way.name])
    grown_from, origin = _start(run) if way.from_labels else (None, "")
    size = grown_from.size if grown_from else pretrain.SIZE
    lessons = lessons_read(project=run.project, way=way, size=size)
    known = [one for one in (lessons.own, *lessons.others) if one]
    looked_at = sum(len(one.labels) for one in known) if way.draws else len(lessons.pool)
    work_owned(run, images=looked_at, stage=f"{way.title}: beginning"[:60])
    augmentation = run.config.get("augmentation", DEFAULT)
    augment = augment_named(project=run.project, name=augmentation)
    saved = f"pretraining/{run.pk}-{way.name}.safetensors"

    def report(done: float, words: str) -> None:
        work_owned(run, progress=begun + share * done, stage=f"{way.title}: {words}"[:60])

    def keep(checkpoint: bytes) -> None:
        file_write(path=saved, data=checkpoint, durable=False)

    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        config = {**_batch(run, way, lessons, grown_from, augment, seconds), **run.config.get("settings", {})}
        planned = run.config.get("epochs", {})
        if seconds is not None and "epochs" not in config:
            if way.name not in planned:
                # Decided once and kept: a worker that takes over must go on with the same plan.
                work_owned(run, stage=f"{way.title}: timing its steps"[:60])
                count = pretrain.epochs_within(seconds(), lessons, way, config, grown_from, augment)
                remember(run, "epochs", way.name, count)
            config["epochs"] = run.config["epochs"][way.name]
        network = pretrain.pretrain(
            lessons,
            way,
            config,
            run.seed,
            network=grown_from,
            augment=augment,
            report=report,
            keep=keep,
            checkpoint=_checkpoint(saved),
        )
    finally:
        torch.set_num_threads(before)
    onnx = export(network, size)
    backbone = backbone_store(
        name=f"{way.name}-{hashlib.sha256(onnx).hexdigest()[:8]}",
        onnx=onnx,
        input_size=size,
        features=network.features,
        network=stored.kind_of(network),
        weights=stored.network_bytes(network),
        origin=origin,
        card={
            "way": way.name,
            "settings": config,
            "augmentation": augmentation,
            "seed": run.seed,
            "pictures": len(lessons.pool),
            "labels": sum(len(one.labels) for one in known),
        },
    )
    remember(run, "made", way.name, backbone.name)
    default_storage.delete(saved)
    return backbone


def _batch(
    run: PretrainingRun,
    way: Pretraining,
    lessons: Lessons,
    network: "Network | None",
    augment: Augment | None,
    seconds: Seconds | None,
) -> dict[str, Any]:
    """The settings of the batch that suits the machine; measured once and kept, as the plan must be. Of one
    that a person chose, the rate that goes with it.
    """
    if not isinstance(way.how, Loop):
        return {}
    if chosen := run.config.get("settings", {}).get("batch"):
        if way.how.least is not None:
            batch_trial.batch_check(chosen, lessons, way.how, network, run.seed, augment=augment)
        return {"rate": rate_for(chosen, way.how.rate, way.how.batch)}
    if way.name not in run.config.get("batches", {}):
        work_owned(run, stage=f"{way.title}: measuring batch sizes"[:60])
        limit = MEASURING * seconds() if seconds else None
        choice = batch_trial.batch_for(lessons, way.how, network, run.seed, augment=augment, seconds=limit)
        remember(run, "batches", way.name, choice.as_json() if choice else {})
    kept: dict[str, Any] = run.config["batches"][way.name]
    return {"batch": kept["batch"], "rate": kept["rate"]} if kept else {}


def remember(run: PretrainingRun, field: str, way: str, value: object) -> None:
    """For whoever takes the run over."""
    run.config = {**run.config, field: {**run.config.get(field, {}), way: value}}
    work_owned(run, config=run.config)


def _start(run: PretrainingRun) -> tuple["Network", str]:
    """What a way that needs labels goes on from, and its name: by itself, what this run has just learned
    without labels. ImageNet's features come beside it, and a step of such a small network takes
    milliseconds, of ImageNet's seconds.

    Else the network in use; of one that was trained on labels itself, what that grew from, of a pair, the
    part that was learned here.
    """
    learner = learner_of(run.project)
    if learner is None:
        raise ValueError("The project has no learner yet: begin again in a moment.")
    used = backbone_artifact(name=learner.backbone)
    just_learned = run.config.get("made", {}).get(FIRST[-1])
    name = just_learned or used.origin or used.learns_by or used.name
    return backbone_network(name=name), name


def _checkpoint(path: str) -> bytes | None:
    try:
        with default_storage.open(path) as file:
            return bytes(file.read())
    except FileNotFoundError:
        return None
