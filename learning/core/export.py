"""A trained head as bytes: ONNX to serve, safetensors to keep. The same head always gives the same bytes."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load, save

from learning.core.methods import Head
from learning.core.methods.head import Trunk

OPSET = 17
IR_VERSION = 8


def head_onnx(head: Head, temperature: float, classes: int) -> bytes:
    """ "features" float32 (B, D) -> "probabilities" float32 (B, K), calibrated by the temperature."""
    if head.weight.shape[0] != classes:
        raise ValueError(f"The head has {head.weight.shape[0]} classes, not {classes}.")
    constants = {
        "centre": head.centre,
        "scale": head.scale,
        "weight": head.weight,
        "bias": head.bias,
        "temperature": np.array(temperature, dtype=np.float32),
    }
    nodes = [
        helper.make_node("Sub", ["features", "centre"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], ["z"]),
    ]
    if head.normalise:
        constants["least"] = np.array(1e-12, dtype=np.float32)
        names = [f"z{number}" for number in range(len(head.parts))] or ["z"]
        if head.parts:
            constants["parts"] = np.array(head.parts, dtype=np.int64)
            nodes.append(helper.make_node("Split", ["z", "parts"], names, axis=1))
        for name in names:
            nodes += [
                helper.make_node("ReduceL2", [name], [f"{name} length"], axes=[1], keepdims=1),
                helper.make_node("Max", [f"{name} length", "least"], [f"{name} positive"]),
                helper.make_node("Div", [name, f"{name} positive"], [f"{name} unit"]),
            ]
        nodes.append(helper.make_node("Concat", [f"{name} unit" for name in names], ["unit"], axis=1))
    features = "unit" if head.normalise else "z"
    if head.trunk is not None:
        constants |= {"trunk.weight": head.trunk.weight, "trunk.bias": head.trunk.bias}
        nodes += [
            helper.make_node("Gemm", [features, "trunk.weight", "trunk.bias"], ["trunk"], transB=1),
            helper.make_node("Relu", ["trunk"], ["hidden"]),
        ]
        features = "hidden"
    nodes += [
        helper.make_node("Gemm", [features, "weight", "bias"], ["logits"], transB=1),
        helper.make_node("Div", ["logits", "temperature"], ["scaled"]),
        helper.make_node("Softmax", ["scaled"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "head",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", len(head.centre)])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", classes])],
        [numpy_helper.from_array(np.ascontiguousarray(v), name) for name, v in sorted(constants.items())],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="quern"
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def head_safetensors(head: Head) -> bytes:
    return save({name: np.ascontiguousarray(value) for name, value in head.tensors().items()})


def head_read(data: bytes) -> Head:
    """The head of `head_safetensors`."""
    tensors = load(data)
    return Head(
        tensors["centre"],
        tensors["scale"],
        tensors["weight"],
        tensors["bias"],
        bool(tensors["normalise"][0]),
        trunk=Trunk(tensors["trunk.weight"], tensors["trunk.bias"]) if "trunk.weight" in tensors else None,
        parts=tuple(tensors["parts"].tolist()) if "parts" in tensors else (),
    )
