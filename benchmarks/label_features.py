"""The features that simulated projects work on, and SoftMatch as their last step."""

import time
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.label_runs import Chosen, Rows, Split, accuracy, drawn
from benchmarks.pictures import Pictures
from learning.core.backbones import BACKBONES
from learning.core.backbones.base import export
from learning.core.networks.network import Network
from learning.core.networks.pretrain import SIZE, pretrain
from learning.core.predictor import Embedder
from learning.core.pretraining import PRETRAININGS, Lessons

IMAGENET = BACKBONES["efficientnet-lite0"]
HEAD = "self-training"


def pretrained(pictures: Pictures, images: NDArray[np.uint8], config: dict[str, int]) -> Network:
    began = time.perf_counter()
    torch.set_num_threads(2)
    network = pretrain(Lessons(images), PRETRAININGS["vicreg"], config, 0)
    print(
        f"{pictures.name}: pretrained on {len(images):,} pictures in {time.perf_counter() - began:.0f} s",
        flush=True,
    )
    return network


def kinds(pictures: Pictures, network: Network, own: NDArray[np.uint8]) -> Iterator[Split]:
    pool, test = drawn(pictures)
    labels = pictures.labels
    for kind, onnx, images in (
        ("ImageNet", IMAGENET.export(), pictures.prepared(IMAGENET.input_size)),
        ("VICReg", export(network, SIZE), own),
    ):
        features = _embedded(onnx, images)
        yield Split(kind, features[pool], labels[pool], features[test], labels[test], pictures.classes)


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
