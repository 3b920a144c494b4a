"""The features that simulated projects work on, and SoftMatch as their last step."""

import hashlib
import time
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.kept import Kept
from benchmarks.label_runs import Chosen, Rows, Split, accuracy, drawn
from benchmarks.pictures import Pictures
from learning.core.backbones import BACKBONES
from learning.core.backbones.base import export
from learning.core.networks.network import Network
from learning.core.networks.pretrain import SIZE, pretrain
from learning.core.networks.stored import network_bytes, network_from
from learning.core.predictor import Embedder
from learning.core.pretraining import PRETRAININGS, Lessons

IMAGENET = BACKBONES["efficientnet-lite0"]
HEAD = "self-training"
SOURCES = (
    "learning/core/augmentation",
    "learning/core/backbones",
    "learning/core/networks",
    "learning/core/pretraining",
    "benchmarks/label_features.py",
    "benchmarks/pictures.py",
)


def pretrained(pictures: Pictures, images: NDArray[np.uint8], config: dict[str, int], kept: Kept) -> Network:
    def learned() -> bytes:
        began = time.perf_counter()
        torch.set_num_threads(2)
        network = pretrain(Lessons(images), PRETRAININGS["vicreg"], config, 0)
        took = time.perf_counter() - began
        print(f"{pictures.name}: pretrained on {len(images):,} pictures in {took:.0f} s", flush=True)
        return network_bytes(network)

    return network_from("small-cnn", SIZE, kept.data([pictures.name, "vicreg", config, len(images)], learned))


def kinds(pictures: Pictures, network: Network, own: NDArray[np.uint8], kept: Kept) -> Iterator[Split]:
    """ImageNet's features and the project's own."""
    pool, test = drawn(pictures)
    labels = pictures.labels
    of = hashlib.sha256(network_bytes(network)).hexdigest()[:12]
    for kind in ("ImageNet", "VICReg"):

        def features(kind: str = kind) -> NDArray[np.float32]:
            if kind == "ImageNet":
                return _embedded(IMAGENET.export(), pictures.prepared(IMAGENET.input_size))
            return _embedded(export(network, SIZE), own)

        found = kept.array([pictures.name, kind, len(labels), of], features)
        yield Split(kind, found[pool], labels[pool], found[test], labels[test], pictures.classes)


def softmatch_accuracy(
    network: Network, lessons: Lessons, test: NDArray[np.uint8], truth: Split, known: Rows, seed: int
) -> float:
    """Accuracy in % of a head on what SoftMatch makes of the network."""
    torch.set_num_threads(2)
    grown = export(pretrain(lessons, PRETRAININGS["softmatch"], {}, seed, network=network), SIZE)
    split = Split(
        "SoftMatch",
        _embedded(grown, lessons.pool),
        truth.labels,
        _embedded(grown, test),
        truth.test_labels,
        truth.classes,
    )
    return accuracy(Chosen(known, split), HEAD, seed)


def _embedded(onnx: bytes, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    embedder = Embedder(onnx, threads=2)
    return np.concatenate([embedder.embed(images[i : i + 64]) for i in range(0, len(images), 64)])
