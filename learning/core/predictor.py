"""Images in, probabilities out, through ONNX Runtime: the same graphs in training, scoring and serving."""

from collections.abc import Sequence

import numpy as np
import onnxruntime
from numpy.typing import NDArray


def _session(onnx_bytes: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin while they wait take the processor from the web server and the database.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(onnx_bytes, options, providers=["CPUExecutionProvider"])


class Embedder:
    """The backbone; safe to share between threads."""

    def __init__(self, onnx_bytes: bytes, threads: int = 1) -> None:
        self._session = _session(onnx_bytes, threads)

    def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(B, S, S, 3) -> (B, D)"""
        features: NDArray[np.float32] = self._session.run(["features"], {"images": images})[0]
        return features


class Predictor:
    def __init__(
        self, embedder: Embedder, head_bytes: bytes, classes: Sequence[str], input_size: int
    ) -> None:
        self.embedder = embedder
        self.classes = list(classes)
        self.input_size = input_size
        self._session = _session(head_bytes, 1)

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(B, S, S, 3) -> (B, K)"""
        return self.predict_features(self.embedder.embed(images))

    def predict_features(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """(B, D) -> (B, K)"""
        proba: NDArray[np.float32] = self._session.run(["probabilities"], {"features": features})[0]
        return proba
