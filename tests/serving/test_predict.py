import io
import struct
import uuid
import zlib

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from labelling.core.images import open_rgb
from learning.core.backbones import prepare
from learning.services.artifacts import predictor_load
from serving.models import Prediction
from serving.services.keys import key_create
from tests.serving import trained
from tests.serving.conftest import Service
from tests.serving.trained import DARK, LIGHT, picture


def files(*images: bytes, name: str = "image") -> dict[str, list[SimpleUploadedFile]]:
    return {name: [SimpleUploadedFile(f"{n}.png", data) for n, data in enumerate(images)]}


def bomb() -> bytes:
    """A PNG whose header promises 40,000 x 40,000 pixels."""
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    checked = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + checked + struct.pack(">I", 4) + b"IDAT" + bytes(8)


def damaged_jpeg() -> bytes:
    data = picture(DARK, kind="JPEG", size=200)
    return data[: len(data) // 2]


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        ("PNG", "image/png"),
        ("JPEG", "image/jpeg"),
        ("WEBP", "image/webp"),
        ("PNG", "application/octet-stream"),
    ],
)
def test_raw_bytes_are_answered_exactly_as_the_predictor_answers(
    service: Service, kind: str, content_type: str
) -> None:
    data = picture(LIGHT, 5, kind)
    response = service.client.post(service.predict_path, data, content_type=content_type)
    assert response.status_code == 200, response.content
    answer = response.json()
    assert answer["model"] == {
        "version": 1,
        "digest": service.version.digest,
        "precision": "float32",
    }
    (prediction,) = answer["predictions"]
    assert prediction["index"] == 0
    assert prediction["arm"] == "champion"
    predictor = predictor_load(version=service.version)
    (expected,) = predictor.predict(np.stack([prepare(open_rgb(data), predictor.input_size)]))
    given = {entry["label"]: entry["probability"] for entry in prediction["labels"]}
    assert given == pytest.approx(dict(zip(predictor.classes, expected.tolist(), strict=True)), abs=1e-6)
    assert sum(given.values()) == pytest.approx(1, abs=1e-5)
    assert prediction["labels"][0]["label"] == "light"

    stored = Prediction.objects.get()
    assert str(stored.id) == prediction["id"]
    assert stored.top == prediction["labels"]
    assert (stored.model_version, stored.api_key, stored.project) == (
        service.version,
        service.key,
        service.project,
    )
    assert stored.propensity == 1.0
    assert stored.decode_ms > 0
    assert stored.infer_ms > 0


def test_a_form_with_several_images_is_answered_in_order_around_the_bad_ones(service: Service) -> None:
    sent = [picture(DARK, 1), b"not an image", picture(LIGHT, 2)]
    response = service.client.post(service.predict_path, files(*sent))
    assert response.status_code == 200
    first, second, third = response.json()["predictions"]
    assert (first["index"], first["labels"][0]["label"]) == (0, "dark")
    assert second == {"index": 1, "error": "The file is not a JPEG, PNG or WebP image."}
    assert (third["index"], third["labels"][0]["label"]) == (2, "light")
    stored = Prediction.objects.all()
    assert {str(row.id) for row in stored} == {first["id"], third["id"]}
    assert len({row.request_id for row in stored}) == 1


def test_top_limits_the_labels_and_is_checked(service: Service) -> None:
    def ask(top: str) -> tuple[int, dict[str, object]]:
        response = service.client.post(
            f"{service.predict_path}?top={top}", picture(DARK), content_type="image/png"
        )
        return response.status_code, response.json()

    status, answer = ask("1")
    assert status == 200
    assert len(answer["predictions"][0]["labels"]) == 1  # type: ignore[index]  # JSON
    for wrong in ("0", "-1", "three", "²", ""):
        status, answer = ask(wrong)
        assert (status, answer) == (
            400,
            {"detail": f"'top' is '{wrong}': it must be a whole number, at least 1."},
        )
    assert ask("3") == (400, {"detail": "'top' is 3, but the model knows 2 labels."})


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"hello", "The file is not a JPEG, PNG or WebP image."),
        (damaged_jpeg(), "The image is damaged or cut off"),
        (bomb(), "is larger than 25 megapixels."),
        (b"", "The body is empty"),
    ],
    ids=["not-an-image", "cut-off", "bomb", "empty"],
)
def test_a_bad_image_gets_400_with_a_sentence_and_nothing_is_stored(
    service: Service, data: bytes, sentence: str
) -> None:
    response = service.client.post(service.predict_path, data, content_type="image/jpeg")
    assert response.status_code == 400
    assert sentence in response.json()["detail"]
    assert not Prediction.objects.exists()


def test_when_no_image_is_good_the_status_says_so(service: Service) -> None:
    response = service.client.post(service.predict_path, files(b"one", b"two"))
    assert response.status_code == 400
    assert response.json()["detail"] == "None of the 2 images can be read."
    assert [entry["index"] for entry in response.json()["predictions"]] == [0, 1]
    assert not Prediction.objects.exists()


def test_other_bodies_are_refused_in_a_sentence(service: Service) -> None:
    def ask(data: object, **options: str) -> tuple[int, str]:
        response = service.client.post(service.predict_path, data, **options)  # type: ignore[arg-type]  # any body
        return response.status_code, response.json()["detail"]

    assert ask(b"<a/>", content_type="text/xml") == (
        415,
        "A body of type 'text/xml' is not read here: send the image's bytes as image/jpeg, image/png, "
        "image/webp or application/octet-stream, a multipart form with 'image' files, or JSON that names "
        "items.",
    )
    assert ask(files(picture(DARK), name="file")) == (400, "The form has no file 'image', only: file.")
    assert ask({"image": "@digit.png"})[1].startswith("The form's field 'image' is text")
    status, sentence = ask(b"x", content_type="multipart/form-data")
    assert (status, sentence[:27]) == (400, "The form cannot be read: In")
    assert ask(files(*[b"x"] * 65)) == (413, "A request holds at most 64 images: send more requests.")
    assert ask(files(*[b"x"] * 10_000)) == (413, "A request holds at most 64 images: send more requests.")
    assert ask(bytes(32 * 1024 * 1024 + 1), content_type="image/png") == (
        413,
        "The body is larger than 32 MB: send fewer or smaller images.",
    )
    assert not Prediction.objects.exists()


def test_64_images_are_one_request(service: Service) -> None:
    response = service.client.post(service.predict_path, files(*[picture(DARK, n) for n in range(64)]))
    assert response.status_code == 200
    assert Prediction.objects.count() == 64


def test_a_project_without_a_model_says_so(service: Service) -> None:
    other = trained.project()
    _, plain = key_create(project=other, name="other", user=None)
    response = Client(headers={"X-Api-Key": plain}).post(
        f"/api/v1/projects/{other.slug}/predict", picture(DARK), content_type="image/png"
    )
    assert response.status_code == 409
    assert "has no model yet" in response.json()["detail"]


def test_unknown_and_foreign_projects_are_the_same_404(service: Service) -> None:
    other = trained.project()
    for slug in (other.slug, "nowhere"):
        response = service.client.post(
            f"/api/v1/projects/{slug}/predict", picture(DARK), content_type="image/png"
        )
        assert response.status_code == 404
        assert response.json() == {"detail": f"There is no project '{slug}' that this API key opens."}


def test_a_get_is_not_allowed(service: Service) -> None:
    assert service.client.get(service.predict_path).status_code == 405


def test_an_image_with_transparency_and_one_with_a_palette_are_read(service: Service) -> None:
    sent = []
    for mode in ("RGBA", "P", "L", "1"):
        out = io.BytesIO()
        Image.new(mode, (30, 20)).save(out, "PNG")
        sent.append(out.getvalue())
    response = service.client.post(service.predict_path, files(*sent))
    assert all("labels" in entry for entry in response.json()["predictions"])
    assert uuid.UUID(response.json()["predictions"][3]["id"])
