"""A model that fails on some images only, as a real one does: its head says NaN of them."""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper


def direction_and_limit(
    features: NDArray[np.float32], share: float
) -> tuple[NDArray[np.float32], float, NDArray[np.bool_]]:
    """A direction (D,), a limit, and which of these images (N,) lie beyond it: about `share` of them.

    The limit is in the widest gap nearby, so that rounding moves no image across it.
    """
    direction = np.zeros(features.shape[1], np.float32)
    direction[features.var(axis=0).argmax()] = 1
    along = features @ direction
    ordered = np.sort(along)
    first, last = (int(len(ordered) * (1 - one * share)) for one in (1.4, 0.6))
    at = first + int(np.diff(ordered[first : last + 1]).argmax())
    limit = float(ordered[at] + ordered[at + 1]) / 2
    return direction, limit, along > limit


def failing(head: bytes, direction: NDArray[np.float32], limit: float) -> bytes:
    """The ONNX head, but for NaN where the features (B, D) lie beyond the limit along the direction."""
    model = onnx.load_from_string(head)
    last = next(node for node in model.graph.node if "probabilities" in node.output)
    last.output[:] = ["sound"]
    constants = {
        "direction": direction[:, None],
        "limit": np.array(limit, np.float32),
        "nothing": np.array(np.nan, np.float32),
    }
    model.graph.initializer.extend(numpy_helper.from_array(of, name) for name, of in constants.items())
    model.graph.node.extend(
        [
            helper.make_node("MatMul", ["features", "direction"], ["along"]),
            helper.make_node("Greater", ["along", "limit"], ["beyond"]),
            helper.make_node("Where", ["beyond", "nothing", "sound"], ["probabilities"]),
        ]
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))
