"""Images in, probabilities out, through ONNX Runtime: the same graphs in training, scoring and serving."""

import hashlib
from collections.abc import Sequence

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from learning.core.batching import Batching, Watch
from learning.core.throughput import SIZES, Knee, knee_measured


def session(onnx_bytes: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin while they wait take the processor from the web server and the database.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(onnx_bytes, options, providers=["CPUExecutionProvider"])


# Fewer images are not worth several processors: a layer of one is so small that its parts mostly wait for
# each other. One of 96 pixels comes a tenth to a third sooner from two, for half as much processor time
# again, which other processes miss; four take half as long.
SPREAD = 4


class Embedder:
    """The backbone; safe to share between threads, whose calls become one batch when they come together.

    A batch of `SPREAD` that is alone gets `threads` processors; under load one each batch answers more calls
    a second.
    """

    def __init__(self, onnx_bytes: bytes, threads: int = 1, watch: Watch | None = None) -> None:
        self._session = session(onnx_bytes, threads)
        self._single = self._session if threads == 1 else session(onnx_bytes, 1)
        self._batching = Batching(self._run, watch=watch)
        self.batch = self._batching.most
        self.digest = hashlib.sha256(onnx_bytes).hexdigest()

    def embed(self, images: NDArray[np.uint8], until: float | None = None) -> NDArray[np.float32]:
        """(B, S, S, 3) -> (B, D). `until`: of `time.monotonic`; raises TimeoutError if it has not begun."""
        return self._batching(images, until)

    def throughput(self) -> Knee:
        """How many images a second it answers at which batch, on one processor; takes a second or two."""
        _, height, width, channels = self._single.get_inputs()[0].shape
        blank = np.zeros((SIZES[-1], height, width, channels), np.uint8)
        return knee_measured(lambda count: self._single.run(["features"], {"images": blank[:count]}))

    def batches_of(self, most: int) -> None:
        """Calls that come together become batches of so many images at most."""
        self.batch = self._batching.most = most

    def _run(self, images: NDArray[np.uint8], crowded: bool) -> NDArray[np.float32]:
        session = self._single if crowded or len(images) < SPREAD else self._session
        features: NDArray[np.float32] = session.run(["features"], {"images": images})[0]
        return features


class Predictor:
    def __init__(
        self, embedder: Embedder, head_bytes: bytes, classes: Sequence[str], input_size: int
    ) -> None:
        self.embedder = embedder
        self.classes = list(classes)
        self.input_size = input_size
        self._session = session(head_bytes, 1)

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(B, S, S, 3) -> (B, K)"""
        return self.predict_features(self.embedder.embed(images))

    def predict_features(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """(B, D) -> (B, K)"""
        proba: NDArray[np.float32] = self._session.run(["probabilities"], {"features": features})[0]
        return proba
