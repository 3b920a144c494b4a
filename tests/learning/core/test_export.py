"""What is exported answers as what was trained, in the same bytes every time."""

import hashlib
import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from safetensors.numpy import load
from sklearn.datasets import load_sample_image

from learning.core.backbones import BACKBONES, backbone, prepare
from learning.core.export import head_onnx, head_read, head_safetensors
from learning.core.methods import METHODS, softmax
from learning.core.networks.classifier import Classifier
from learning.core.predictor import Embedder, Predictor, session
from tests.learning.core.test_methods import clusters, fit

NAME = "efficientnet-lite0"


@pytest.fixture(scope="module")
def exported() -> bytes:
    return BACKBONES[NAME].export()


@pytest.fixture(scope="module")
def embedder(exported: bytes) -> Embedder:
    return Embedder(exported, threads=1)


def photos() -> np.ndarray:
    size = BACKBONES[NAME].input_size
    return np.stack(
        [prepare(Image.fromarray(load_sample_image(f"{name}.jpg")), size) for name in ("china", "flower")]
    )


def test_another_process_exports_the_same_bytes(exported: bytes) -> None:
    script = (
        "import hashlib; from learning.core.backbones import BACKBONES;"
        f"print(hashlib.sha256(BACKBONES[{NAME!r}].export()).hexdigest())"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == hashlib.sha256(exported).hexdigest()


def test_the_exported_backbone_answers_as_torch_does(embedder: Embedder) -> None:
    with torch.inference_mode():
        expected = BACKBONES[NAME].build().eval()(torch.from_numpy(photos())).numpy()
    found = embedder.embed(photos())
    assert found.dtype == np.float32
    assert found.shape == (2, BACKBONES[NAME].features)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_exported_backbone_needs_no_other_file_and_names_what_the_card_says(exported: bytes) -> None:
    model = onnx.load(io.BytesIO(exported), load_external_data=False)
    onnx.checker.check_model(model)
    assert all(not t.external_data for t in model.graph.initializer)
    assert [i.name for i in model.graph.input] == ["images"]
    assert [o.name for o in model.graph.output] == ["features"]


def test_an_image_embeds_alike_alone_and_in_a_batch(embedder: Embedder) -> None:
    together = embedder.embed(photos())
    alone = np.concatenate([embedder.embed(photo[None]) for photo in photos()])
    np.testing.assert_allclose(together, alone, atol=1e-4)


@pytest.mark.parametrize("name", list(METHODS))
def test_the_exported_head_is_the_calibrated_softmax_of_the_trained_one(
    name: str, embedder: Embedder
) -> None:
    data = clusters(classes=3, features=BACKBONES[NAME].features)
    head = fit(name, data)
    predictor = Predictor(embedder, head_onnx(head, 1.7, 3), ["a", "b", "c"], BACKBONES[NAME].input_size)
    expected = softmax(head.logits(data.embeddings) / 1.7)
    np.testing.assert_allclose(predictor.predict_features(data.embeddings), expected, atol=1e-5)
    through_images = softmax(head.logits(embedder.embed(photos())) / 1.7)
    np.testing.assert_allclose(predictor.predict(photos()), through_images, atol=1e-5)


@pytest.mark.parametrize("name", ["transfer", "multi-task"])
def test_a_head_on_the_features_of_two_networks_is_the_same_everywhere(name: str) -> None:
    data = replace(clusters(), parts=(18, 6))
    head = fit(name, data)
    expected = softmax(head.logits(data.embeddings) / 1.7)
    read = head_read(head_safetensors(head))
    assert read.parts == (18, 6)
    assert head_onnx(read, 1.7, 3) == head_onnx(head, 1.7, 3)
    (exported,) = session(head_onnx(head, 1.7, 3), 1).run(None, {"features": data.embeddings})
    np.testing.assert_allclose(exported, expected, atol=1e-5)
    if head.trunk is None:
        learned = Classifier(head)(torch.from_numpy(data.embeddings)) / 1.7
        np.testing.assert_allclose(learned.softmax(dim=1).detach().numpy(), expected, atol=1e-5)


def test_weights_come_back_from_safetensors() -> None:
    head = fit("transfer", clusters())
    loaded = load(head_safetensors(head))
    assert set(loaded) == set(head.tensors())
    for name, value in head.tensors().items():
        np.testing.assert_array_equal(loaded[name], value)


@pytest.mark.parametrize("name", list(METHODS))
def test_the_same_head_gives_the_same_bytes(name: str) -> None:
    first, second = fit(name, clusters()), fit(name, clusters())
    assert head_onnx(first, 1.5, 3) == head_onnx(second, 1.5, 3)
    assert head_safetensors(first) == head_safetensors(second)


def test_a_head_of_other_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="has 3 classes, not 4"):
        head_onnx(fit("transfer", clusters()), 1.0, 4)


def test_the_whole_image_is_kept_in_proportion_on_grey() -> None:
    prepared = prepare(Image.new("RGB", (200, 100), (255, 0, 0)), 96)
    assert prepared.shape == (96, 96, 3)
    assert prepared.dtype == np.uint8
    assert (prepared[24:72] == [255, 0, 0]).all()
    assert (prepared[:24] == 127).all()
    assert (prepared[72:] == 127).all()


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (3000, 2), (2, 3000)])
def test_images_of_any_shape_are_prepared(size: tuple[int, int]) -> None:
    assert prepare(Image.new("RGB", size), 96).shape == (96, 96, 3)


def test_two_backbones_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match=f"backbones are called '{NAME}'"):
        backbone(NAME, title="x", input_size=1, features=1)(BACKBONES[NAME].build)
