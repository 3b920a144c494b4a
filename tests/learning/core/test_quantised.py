"""Real networks through ONNX Runtime: int8, alike, the same bytes, and not made to saturate."""

from functools import cache

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

from learning.core.backbones import BACKBONES, prepare
from learning.core.backbones.base import export
from learning.core.networks.linear import Components
from learning.core.networks.small_cnn import SmallCnn
from learning.core.precision import BATCHES, FASTER, LEAST_LABELS, choose, ms_an_image
from learning.core.predictor import Embedder
from learning.core.quantised import NotQuantisable, quantised

Images = NDArray[np.uint8]


def pictures(size: int, count: int, first: int = 0) -> Images:
    grey = np.round(load_digits().images[first : first + count] * (255 / 16)).astype(np.uint8)
    return np.stack([prepare(Image.fromarray(one).convert("RGB"), size) for one in grey])


@cache
def small() -> bytes:
    torch.manual_seed(0)
    return export(SmallCnn(32), 32)


@cache
def pair(name: str) -> tuple[bytes, bytes]:
    exact, size = (small(), 32) if name == "small" else (BACKBONES[name].export(), 96)
    return exact, quantised(exact, pictures(size, 100))


def cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(axis=1) / lengths).mean())


@pytest.mark.parametrize(("name", "size"), [("small", 32), ("efficientnet-lite0", 96)])
def test_it_is_int8_smaller_and_sees_the_same(name: str, size: int) -> None:
    exact, made = pair(name)
    graph = onnx.load_model_from_string(made).graph
    integers = {one.name for one in graph.initializer if one.data_type == onnx.TensorProto.INT8}
    dequantised = {
        node.output[0]
        for node in graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in integers
    }
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert convolutions
    assert all(node.input[1] in dequantised for node in convolutions)
    assert any(node.op_type == "QuantizeLinear" for node in graph.node)
    assert len(made) < 0.45 * len(exact)
    fresh = pictures(size, 60, first=200)  # that it was not calibrated on
    assert cosine(Embedder(made).embed(fresh), Embedder(exact).embed(fresh)) > 0.985


def test_the_same_images_give_the_same_bytes_and_others_do_not() -> None:
    assert quantised(small(), pictures(32, 40)) == quantised(small(), pictures(32, 40))
    assert quantised(small(), pictures(32, 40)) != quantised(small(), pictures(32, 41))


def test_no_sum_saturates_on_this_processor() -> None:
    """Without optimisation the same graph is reckoned in float32, where nothing can saturate."""
    made = pair("efficientnet-lite0")[1]
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    plain = onnxruntime.InferenceSession(made, options, providers=["CPUExecutionProvider"])
    fresh = pictures(96, 30, first=200)
    unsaturated = plain.run(["features"], {"images": fresh})[0]
    assert cosine(Embedder(made).embed(fresh), unsaturated) > 0.99


def test_what_has_no_convolutions_is_refused_in_a_sentence() -> None:
    with pytest.raises(NotQuantisable, match="no convolutions"):
        quantised(export(Components(32), 32), pictures(32, 40))
    with pytest.raises(NotQuantisable, match="no convolutions"):
        quantised(BACKBONES["pixels"].export(), pictures(32, 40))
    with pytest.raises(NotQuantisable, match="3 images are too few"):
        quantised(small(), pictures(32, 3))


def test_the_larger_of_two_takes_longer() -> None:
    torch.manual_seed(0)
    found = ms_an_image(small(), export(SmallCnn(32, (128, 256, 512)), 32))
    assert list(found) == list(BATCHES)
    assert all(0 < 2 * first < second for first, second in found.values())


counts = st.integers(0, 5_000)
times = st.floats(0.01, 1_000)


@given(counts, counts, counts, times, times)
def test_int8_is_chosen_only_if_it_is_no_worse_and_faster(
    labels: int, right: int, right_int8: int, ms: float, ms_int8: float
) -> None:
    right, right_int8 = min(right, labels), min(right_int8, labels)
    choice = choose(labels=labels, right=right, right_int8=right_int8, ms=ms, ms_int8=ms_int8)
    fit = 1000 * (right - right_int8) <= 3 * labels
    assert choice.int8 == (labels >= LEAST_LABELS and fit and ms_int8 <= FASTER * ms)
    assert choice.why.startswith("int8 answers" if choice.int8 else "float32 answers")
    assert choice.why.endswith(".")
    if choice.int8:  # what is better in any way is chosen as well
        better = choose(
            labels=labels, right=right, right_int8=min(labels, right_int8 + 1), ms=ms, ms_int8=ms_int8 / 2
        )
        assert better.int8
