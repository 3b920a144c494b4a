"""A backbone in int8: ONNX Runtime's static quantisation, made to work on processors without VNNI.

Those add two neighbouring products of uint8 and int8 in 16 bits and saturate. Weights of 7 bits avoid it and
lose more than they save; here every output channel has the widest range in which no two neighbours can
saturate. What the rounded weights shift on average is taken out of the biases (Nagel et al. 2019, section
4.2), and what is left at the end by a line a feature, so that a head that learned from float32 features goes
on working. Depthwise convolutions add in 32 bits. Percentiles or entropy instead of the extremes of the
activations gave nothing that could be told from chance, and neither did float32 in the first or the last
layer. What it costs and saves: `python -m benchmarks.int8`.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from learning.core.lazy import lazy
from learning.core.predictor import session

if TYPE_CHECKING:
    from onnxruntime import quantization
    from onnxruntime.quantization import shape_inference
else:
    quantization = lazy("onnxruntime.quantization", often=False)
    shape_inference = lazy("onnxruntime.quantization.shape_inference", often=False)

QUANTISED = ["Conv", "Add", "Clip", "Relu"]
CALIBRATION = 200  # pictures that suffice
LEAST_IMAGES = 16
BATCH = 20
SATURATES = 32767 / 255  # int8 weights of two neighbours, together, times the largest uint8

Images = NDArray[np.uint8]
Floats = NDArray[np.float32]


class NotQuantisable(ValueError):
    """Why there can be no int8 version, in a sentence."""


def quantised(backbone: bytes, images: Images) -> bytes:
    """The int8 version of an ONNX that takes "images" uint8 (B, S, S, 3) and gives "features" (B, D).

    `images` (N, S, S, 3) are what it will see: they say how wide activations range. The same ones give the
    same bytes. Raises NotQuantisable.
    """
    if len(images) < LEAST_IMAGES:
        raise NotQuantisable(
            f"{len(images)} images are too few to see how wide activations range: {LEAST_IMAGES} are needed."
        )
    with tempfile.TemporaryDirectory(prefix="quern-int8-") as folder:
        model = _folded(backbone, Path(folder))
        if not _convolutions(model):
            raise NotQuantisable(
                "This backbone has no convolutions, so there is nothing that int8 makes faster."
            )
        scales = {node.input[1]: _scales(_constants(model)[node.input[1]]) for node in _convolutions(model)}
        _correct_biases(model, scales, images)
        exact = _run(backbone, ["features"], images)["features"]
        made = _quantise(model, scales, images, Path(folder))
    return _straightened(made, _run(made.SerializeToString(), ["features"], images)["features"], exact)


def _folded(backbone: bytes, folder: Path) -> onnx.ModelProto:
    """With constants folded, paddings and normalisation inside the convolutions, and shapes inferred."""
    path = folder / "folded.onnx"
    shape_inference.quant_pre_process(
        onnx.load_model_from_string(backbone), str(path), skip_symbolic_shape=True
    )
    return onnx.load(str(path))


def _convolutions(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    constants = {one.name for one in model.graph.initializer}
    return [node for node in model.graph.node if node.op_type == "Conv" and node.input[1] in constants]


def _constants(model: onnx.ModelProto) -> dict[str, NDArray[np.float32]]:
    return {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}


def _scales(weight: Floats) -> Floats:
    """(O,): what one step of int8 is worth in each output channel of a kernel (O, I, h, w)."""
    largest = np.abs(weight).reshape(len(weight), -1).max(axis=1) / 127
    if weight.shape[1] > 1:
        # In the order in which they are multiplied: neighbouring input channels.
        rows = weight.transpose(0, 2, 3, 1).reshape(len(weight), -1)
        pairs = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2))).reshape(len(weight), -1, 2)
        together = [np.maximum(sign * pairs, 0).sum(axis=2).max(axis=1) for sign in (1, -1)]
        # Rounding may add half a step to each of the two.
        largest = np.maximum(largest, np.maximum(*together) / (SATURATES - 1))
    found: Floats = np.maximum(largest, 1e-12).astype(np.float32)
    return found


def _correct_biases(model: onnx.ModelProto, scales: dict[str, Floats], images: Images) -> None:
    """Take what rounded weights add on average, given the mean of each input channel, out of the biases."""
    convolutions, constants = _convolutions(model), _constants(model)
    means = _means(model, sorted({node.input[0] for node in convolutions}), images)
    for node in convolutions:
        weight = constants[node.input[1]]  # (O, I / groups, h, w)
        step = scales[node.input[1]][:, None, None, None]
        added = (np.clip(np.rint(weight / step), -127, 127) * step - weight).sum(
            axis=(2, 3)
        )  # (O, I / groups)
        mean = means[node.input[0]].reshape(-1, weight.shape[1])  # (groups, I / groups)
        of_group = np.arange(len(weight)) * len(mean) // len(weight)  # (O,)
        shift = (added * mean[of_group]).sum(axis=1)
        before = constants[node.input[2]] if len(node.input) > 2 else np.zeros(len(weight), np.float32)
        # A name of its own: convolutions may share a constant.
        name = f"{node.output[0]}.corrected_bias"
        model.graph.initializer.append(numpy_helper.from_array((before - shift).astype(np.float32), name))
        node.input[:] = [*node.input[:2], name]
    used = {name for node in model.graph.node for name in node.input}
    kept = [one for one in model.graph.initializer if one.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def _means(model: onnx.ModelProto, tensors: list[str], images: Images) -> dict[str, Floats]:
    """(C,) of each tensor (B, C, h, w)."""
    looked_at = onnx.ModelProto()
    looked_at.CopyFrom(model)
    del looked_at.graph.output[:]
    for name in tensors:
        mean = f"{name}.mean"
        looked_at.graph.node.append(helper.make_node("ReduceMean", [name], [mean], axes=[2, 3], keepdims=0))
        looked_at.graph.output.append(helper.make_tensor_value_info(mean, onnx.TensorProto.FLOAT, None))
    found = _run(looked_at.SerializeToString(), [f"{name}.mean" for name in tensors], images)
    return {name: found[f"{name}.mean"].mean(axis=0) for name in tensors}


def _run(model: bytes, outputs: list[str], images: Images) -> dict[str, Floats]:
    running = session(model, 1)
    parts = [running.run(outputs, {"images": images[at : at + BATCH]}) for at in range(0, len(images), BATCH)]
    return {name: np.concatenate([part[place] for part in parts]) for place, name in enumerate(outputs)}


def _quantise(
    model: onnx.ModelProto, scales: dict[str, Floats], images: Images, folder: Path
) -> onnx.ModelProto:
    nodes = list(model.graph.node)
    first = next(place for place, node in enumerate(nodes) if node.op_type == "Conv")
    ranges = {
        name: [
            {
                "quant_type": quantization.QuantType.QInt8,
                "axis": 0,
                "symmetric": True,
                "rmin": -127 * step,
                "rmax": 127 * step,
            }
            for step in steps
        ]
        for name, steps in scales.items()
    }
    path = folder / "int8.onnx"
    quantization.quantize_static(
        model,
        str(path),
        _Reader(images),
        quant_format=quantization.QuantFormat.QDQ,
        op_types_to_quantize=QUANTISED,
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        nodes_to_exclude=[node.name for node in nodes[:first]],  # what makes numbers of pixels
        extra_options={"TensorQuantOverrides": ranges},
    )
    return onnx.load(str(path))


class _Reader:
    """What ONNX Runtime calls a calibration data reader."""

    def __init__(self, images: Images) -> None:
        self._parts = iter([images[at : at + BATCH] for at in range(0, len(images), BATCH)])

    def get_next(self) -> dict[str, Images] | None:
        part = next(self._parts, None)
        return None if part is None else {"images": part}


def _straightened(model: onnx.ModelProto, found: Floats, exact: Floats) -> bytes:
    """With each feature (N, D) moved along the line that brings it nearest to what float32 gives."""
    spread = found.var(axis=0)
    slope = np.ones_like(spread)
    moves = spread > 1e-10
    covariance = ((found - found.mean(axis=0)) * (exact - exact.mean(axis=0))).mean(axis=0)
    slope[moves] = covariance[moves] / spread[moves]
    offset = exact.mean(axis=0) - slope * found.mean(axis=0)
    graph = model.graph
    for node in graph.node:
        node.output[:] = ["features.int8" if name == "features" else name for name in node.output]
        node.input[:] = ["features.int8" if name == "features" else name for name in node.input]
    graph.initializer.append(numpy_helper.from_array(slope.astype(np.float32), "features.slope"))
    graph.initializer.append(numpy_helper.from_array(offset.astype(np.float32), "features.offset"))
    graph.node.append(helper.make_node("Mul", ["features.int8", "features.slope"], ["features.scaled"]))
    graph.node.append(helper.make_node("Add", ["features.scaled", "features.offset"], ["features"]))
    return bytes(model.SerializeToString(deterministic=True))
