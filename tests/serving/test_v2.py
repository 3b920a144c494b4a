"""The Open Inference Protocol, as its clients speak it."""

import base64
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.test import Client
from numpy.typing import NDArray
from PIL import Image
from pytest_django.live_server_helper import LiveServer
from tritonclient.http import InferenceServerClient, InferInput

from labelling.core.images import open_rgb
from learning.core.backbones import prepare
from learning.services.artifacts import predictor_load
from serving.models import Feedback, Prediction
from tests.serving.conftest import Service
from tests.serving.trained import DARK, LIGHT, picture

Sent = dict[str, Any]


def pixels(*images: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.stack([np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) for data in images])


def files(*images: bytes) -> Sent:
    data = [base64.b64encode(one).decode() for one in images]
    return {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [len(data)], "data": data}]}


def tensor(*images: bytes, nested: bool = False) -> Sent:
    found = pixels(*images)
    data = found.tolist() if nested else found.ravel().tolist()
    return {"inputs": [{"name": "image", "datatype": "UINT8", "shape": list(found.shape), "data": data}]}


def infer(service: Service, sent: object, of: str = "infer") -> tuple[int, Sent]:
    body = sent if isinstance(sent, str) else json.dumps(sent)
    path = f"/v2/models/{service.project.slug}/{of}"
    response = service.client.post(path, body, content_type="application/json")
    return response.status_code, response.json()


def by_name(answer: Sent) -> dict[str, Sent]:
    return {one["name"]: one for one in answer["outputs"]}


def test_files_and_pixels_are_answered_as_the_predictor_answers(service: Service) -> None:
    images = [picture(DARK, 5), picture(LIGHT, 6)]
    predictor = predictor_load(version=service.version)
    expected = predictor.predict(np.stack([prepare(open_rgb(data), predictor.input_size) for data in images]))
    for sent in (files(*images), tensor(*images), tensor(*images, nested=True)):
        status, answer = infer(service, {**sent, "id": "mine", "parameters": {"unit": "camera 3"}})
        assert status == 200, answer
        assert (answer["model_name"], answer["model_version"], answer["id"]) == (
            service.project.slug,
            "1",
            "mine",
        )
        found = by_name(answer)
        assert found["label"] == {
            "name": "label",
            "datatype": "BYTES",
            "shape": [2, 2],
            "data": ["dark", "light", "light", "dark"],
        }
        assert found["probability"]["shape"] == [2, 2]
        # (2, 2), the likeliest first: dark and light of the first image, light and dark of the second.
        assert found["probability"]["data"] == pytest.approx([*expected[0], *expected[1][::-1]], abs=1e-6)
        assert found["arm"]["data"] == ["champion"] * 2
        assert found["version"] == {"name": "version", "datatype": "INT32", "shape": [2], "data": [1, 1]}
        stored = Prediction.objects.filter(id__in=found["prediction"]["data"])
        assert stored.count() == 2


def test_feedback_takes_the_predictions_id_and_only_the_outputs_asked_for_come_back(service: Service) -> None:
    sent = {
        **files(picture(DARK)),
        "outputs": [{"name": "prediction"}, {"name": "label"}],
        "parameters": {"top": 1},
    }
    _, answer = infer(service, sent, "versions/1/infer")
    assert [one["name"] for one in answer["outputs"]] == ["label", "prediction"]
    assert by_name(answer)["label"]["data"] == ["dark"]
    said = service.client.post(
        f"/api/v1/projects/{service.project.slug}/predictions/{by_name(answer)['prediction']['data'][0]}/feedback",
        json.dumps({"label": "light"}),
        content_type="application/json",
    )
    assert said.status_code == 201
    assert Feedback.objects.get().label.name == "light"


def changed(**change: object) -> Callable[[], Sent]:
    def made() -> Sent:
        sent = tensor(picture(DARK, size=4))
        return {"inputs": [{**sent["inputs"][0], **change}]}

    return made


BAD: list[tuple[Callable[[], object], str]] = [
    (lambda: "{", "The body is not JSON: the reference page shows what to send."),
    (list, "The body must be an object with 'inputs'."),
    (lambda: {"inputs": []}, "'inputs' must be a list of one tensor: send one named 'image'"),
    (changed(name="input_1"), "There is no input 'input_1': send one named 'image'"),
    (changed(name="\ud800"), "There is no input '?': send one named 'image'"),
    (lambda: '{"inputs": ' + "7" * 5000 + "}", "The body is not JSON"),
    (lambda: "[" * 100_000, "The body is not JSON"),
    (changed(datatype="FP32"), "The datatype 'FP32' is not read here"),
    (changed(shape=[1, 4, 4]), "Pixels need the shape [N, height, width, 3], not [1, 4, 4]."),
    (changed(shape=[1, 3, 4, 4]), "Pixels need the shape [N, height, width, 3]"),
    (changed(shape=[2, 4, 4, 3]), "'data' has the shape [48], not [2, 4, 4, 3]."),
    (changed(shape=[1, -4, 4, 3]), "'shape' must be a list of whole numbers from 1 to 25000000."),
    (changed(shape=[10_000, 4, 4, 3]), "A request holds at most 64 images, not 10000"),
    (changed(shape=[1, 10_000, 10_000, 3]), "An image has at most 25 megapixels"),
    (changed(data=[0.5] * 48), "Pixels of datatype UINT8 must be whole numbers from 0 to 255."),
    (changed(data=[256] * 48), "Pixels of datatype UINT8 must be whole numbers from 0 to 255."),
    (changed(data=[10**30] * 48), "Pixels of datatype UINT8 must be whole numbers from 0 to 255."),
    (changed(data=["a"] * 48), "Pixels of datatype UINT8 must be whole numbers from 0 to 255."),
    (changed(data=[None] * 48), "Pixels of datatype UINT8 must be whole numbers from 0 to 255."),
    (changed(data=[float("nan")] * 48), "The body holds NaN: tensors must hold finite numbers."),
    (
        changed(data=[[1, 2], [3]]),
        "its lists differ in length or depth.",
    ),
    (changed(data="AAAA"), "'data' must be a list, or the tensor's bytes must follow the JSON."),
    (changed(datatype="BYTES", shape=[1], data=["é"]), "File 0 is not base64."),
    (changed(datatype="BYTES", shape=[1], data=[7]), "File 0 is not a text"),
    (changed(datatype="BYTES", shape=[2], data=["AAAA"]), "'data' holds 1 files, but 'shape' says 2."),
    (lambda: files(picture(DARK), b"no image"), "Image 1: The file is not a JPEG, PNG or WebP image."),
    (
        lambda: {**files(picture(DARK)), "parameters": {"top": 3}},
        "must be a whole number from 1 to 2.",
    ),
    (
        lambda: {**files(picture(DARK)), "parameters": {"unit": "x" * 201}},
        "The unit key has 201",
    ),
    (
        lambda: {**files(picture(DARK)), "outputs": [{"name": "logits"}]},
        "There is no output 'logits'",
    ),
    (
        lambda: {**files(picture(DARK)), "outputs": "label"},
        "'outputs' must be a list of",
    ),
    (lambda: {**files(picture(DARK)), "parameters": {"unit": "\ud800"}}, "'unit' must be a text that can be"),
    (lambda: {**files(picture(DARK)), "id": 7}, "'id' must be a text."),
]


def test_bad_input_gets_one_sentence_and_nothing_is_stored(service: Service) -> None:
    for made, sentence in BAD:
        status, answer = infer(service, made())
        assert status == 400, answer
        assert list(answer) == ["error"]
        assert sentence in answer["error"]
    assert not Prediction.objects.exists()


def test_what_the_model_takes_and_gives(service: Service) -> None:
    path = f"/v2/models/{service.project.slug}"
    described = service.client.get(path).json()
    assert described["versions"] == ["1"]
    assert described["parameters"] == {"label": ["dark", "light"]}
    assert [one["name"] for one in described["outputs"]] == [
        "label",
        "probability",
        "prediction",
        "arm",
        "version",
        "precision",
    ]
    assert service.client.get(f"{path}/versions/1").json() == described
    assert service.client.get(f"{path}/ready").json() == {"name": service.project.slug, "ready": True}
    other = service.client.get(f"{path}/versions/2/ready")
    assert (other.status_code, other.json()) == (404, {"error": "Version 2 does not answer: version 1 does."})
    assert Client().get(path).status_code == 401
    assert "error" in Client().get(path).json()
    assert service.client.get("/v2/models/elsewhere").status_code == 404


def behind(service: Service, head: Sent, binary: bytes, length: object = None) -> tuple[int, Sent]:
    """A request whose tensor follows the JSON."""
    said = json.dumps(head).encode()
    response = service.client.post(
        f"/v2/models/{service.project.slug}/infer",
        said + binary,
        content_type="application/octet-stream",
        headers={"Inference-Header-Content-Length": str(len(said) if length is None else length)},
    )
    return response.status_code, response.json()


def headed(datatype: str, shape: list[int], size: object) -> Sent:
    parameters = {"binary_data_size": size}
    return {"inputs": [{"name": "image", "datatype": datatype, "shape": shape, "parameters": parameters}]}


@pytest.mark.parametrize("datatype", ["UINT8", "BYTES"])
def test_the_client_of_triton_works_as_it_is(
    service: Service, live_server: LiveServer, datatype: str
) -> None:
    images = [picture(DARK, 5), picture(LIGHT, 6)]
    _, expected = infer(service, tensor(*images) if datatype == "UINT8" else files(*images))
    sent: NDArray[Any] = pixels(*images) if datatype == "UINT8" else np.array(images, np.object_)
    client = InferenceServerClient(live_server.url.removeprefix("http://"))
    try:
        image = InferInput("image", list(sent.shape), datatype)
        image.set_data_from_numpy(sent)
        found = client.infer(
            service.project.slug, [image], headers={"Authorization": f"Bearer {service.plain}"}
        )
    finally:
        client.close()
    label, probability = found.as_numpy("label"), found.as_numpy("probability")
    assert label[:, 0].tolist() == ["dark", "light"]
    told = by_name(expected)
    np.testing.assert_allclose(probability.ravel(), told["probability"]["data"], atol=1e-6)


def test_bytes_behind_the_json_that_do_not_fit_it_are_told(service: Service) -> None:
    image = picture(DARK, 5)
    one = len(image).to_bytes(4, "little") + image
    assert behind(service, headed("BYTES", [1], len(one)), one)[0] == 200
    before = Prediction.objects.count()
    for head, binary, length, words in (
        (headed("BYTES", [1], 3), one, None, "must say so"),
        (headed("BYTES", [1], None), one, None, "must say so"),
        (headed("BYTES", [1], True), b"x", None, "must say so"),
        ({"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1]}]}, one, None, "must say so"),
        (headed("BYTES", [2], len(one)), one, None, "1 files follow the JSON, but 'shape' says 2."),
        (headed("BYTES", [1], 2 * len(one)), one + one, None, "more than 1 files follow"),
        (headed("BYTES", [1], len(one) - 1), one[:-1], None, "File 0 is longer than the bytes"),
        (headed("BYTES", [1], 2), b"\x01\x00", None, "File 0 is longer than the bytes"),
        (headed("BYTES", [1], 4), bytes(4), None, "Image 0: "),
        (headed("UINT8", [1, 2, 2, 3], 11), bytes(11), None, "11 bytes follow the JSON, but"),
        (headed("FP32", [1], 4), bytes(4), None, "The datatype 'FP32' is not read here"),
        (headed("UINT8", [1, 2, 2, 3], 0), b"", None, "must be a list, or the tensor's bytes"),
        (headed("BYTES", [1], len(one)), one, 10**9, "Inference-Header-Content-Length is '1000000000'"),
        (headed("BYTES", [1], len(one)), one, "-1", "Inference-Header-Content-Length is '-1'"),
        (headed("BYTES", [1], len(one)), one, 3, "The body is not JSON"),
    ):
        status, answer = behind(service, head, binary, length)
        assert status == 400, answer
        assert words in answer["error"], answer
    assert Prediction.objects.count() == before
