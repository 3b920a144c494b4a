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
from learning.core.networks.efficientnet_lite0 import build
from learning.core.networks.network import Network
from learning.core.networks.pair import Pair
from learning.core.networks.pretrain import SIZE, pretrain
from learning.core.networks.stored import network_bytes, network_from
from learning.core.predictor import Embedder
from learning.core.pretraining import PRETRAININGS, Answered, Lessons

IMAGENET = BACKBONES["efficientnet-lite0"]
HEAD = "self-training"
ALONE, BESIDE = "SoftMatch", "SoftMatch beside ImageNet's"
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
    """ImageNet's features, the project's own, and both."""
    pool, test = drawn(pictures)
    labels = pictures.labels
    of = hashlib.sha256(network_bytes(network)).hexdigest()[:12]
    for kind in ("ImageNet", "VICReg", "both"):

        def features(kind: str = kind) -> NDArray[np.float32]:
            if kind == "VICReg":
                return _embedded(export(network, SIZE), own)
            onnx = IMAGENET.export() if kind == "ImageNet" else _beside_imagenet(network)
            return _embedded(onnx, pictures.prepared(IMAGENET.input_size))

        found = kept.array([pictures.name, kind, len(labels), of], features)
        parts = (IMAGENET.features, network.features) if kind == "both" else ()
        yield Split(kind, found[pool], labels[pool], found[test], labels[test], pictures.classes, parts)


def softmatch_accuracies(
    pictures: Pictures, network: Network, own: NDArray[np.uint8], known: Rows, seed: int
) -> dict[str, float]:
    """Accuracy in % of a head on what SoftMatch makes of the network, alone and beside ImageNet's features;
    `known`: rows of the pool.
    """
    torch.set_num_threads(2)
    pool, test = drawn(pictures)
    lessons = Lessons(own[pool], Answered(own[pool[known]], pictures.labels[pool[known]]))
    grown = pretrain(lessons, PRETRAININGS["softmatch"], {}, seed, network=network)
    found = {}
    both = (IMAGENET.features, grown.features)
    for kind, onnx, images, parts in (
        (ALONE, export(grown, SIZE), own, ()),
        (BESIDE, _beside_imagenet(grown), pictures.prepared(IMAGENET.input_size), both),
    ):
        features = _embedded(onnx, images)
        labels = pictures.labels
        every = features[pool], labels[pool], features[test], labels[test]
        split = Split(kind, *every, pictures.classes, parts)
        found[kind] = accuracy(Chosen(known, split), HEAD, seed)
    return found


def _beside_imagenet(network: Network) -> bytes:
    pair = Pair(build(IMAGENET.input_size), network)
    return export(pair, pair.size)


def _embedded(onnx: bytes, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    embedder = Embedder(onnx, threads=2)
    return np.concatenate([embedder.embed(images[i : i + 64]) for i in range(0, len(images), 64)])
