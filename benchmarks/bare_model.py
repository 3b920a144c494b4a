"""The product's model without a server: what serving is measured against."""

import json
import multiprocessing
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from labelling.core.images import open_rgb
from learning.core.backbones import prepare
from learning.core.predictor import Embedder, Predictor

WEB_WORKERS = 2  # as config.processes starts them


def load(storage: Path, digest: str, threads: int) -> Predictor:
    def artifact(of: str, suffix: str) -> bytes:
        return (storage / "artifacts" / of[:2] / f"{of}{suffix}").read_bytes()

    card = json.loads(artifact(digest, ".json"))
    backbone = card["backbone"]
    return Predictor(
        Embedder(artifact(backbone["digest"], ".onnx"), threads=threads),
        artifact(card["onnx"], ".onnx"),
        [entry["name"] for entry in card["classes"]],
        backbone["input_size"],
    )


def predict(predictor: Predictor, data: bytes) -> None:
    predictor.predict(np.stack([prepare(open_rgb(data), predictor.input_size)]))


def bound(storage: Path, digest: str, images: Sequence[bytes], seconds: float) -> float:
    """Predictions a second of as many bare processes as the server has, one thread each, nothing between."""
    context = multiprocessing.get_context("spawn")
    rates: multiprocessing.Queue[float] = context.Queue()
    start = context.Barrier(WEB_WORKERS)
    arguments = (storage, digest, list(images), seconds, start, rates)
    processes = [context.Process(target=_bare_process, args=arguments) for _ in range(WEB_WORKERS)]
    for process in processes:
        process.start()
    total = sum(rates.get(timeout=120) for _ in processes)
    for process in processes:
        process.join()
    return total


def _bare_process(
    storage: Path,
    digest: str,
    images: Sequence[bytes],
    seconds: float,
    start: "threading.Barrier",
    rates: "multiprocessing.Queue[float]",
) -> None:
    predictor = load(storage, digest, threads=1)
    for data in images[:20]:
        predict(predictor, data)
    start.wait()
    began, count = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        predict(predictor, images[count % len(images)])
        count += 1
    rates.put(count / (time.monotonic() - began))
