"""int8 answers where its export is used, as its graph answers, and float32 where it cannot."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from PIL import Image

from labelling.core.images import open_rgb
from labelling.models import Item, Project
from labelling.services.items import item_bytes
from learning.core.backbones import prepare
from learning.core.predictor import Embedder, Predictor
from learning.models import ModelVersion, QuantisedBackbone, QuantisedExport
from learning.services import artifacts
from learning.services.artifacts import artifact_get, artifact_name
from learning.services.training import run_train
from serving.models import Deployment, DriftReference, DriftWindow, Prediction
from serving.services import drift
from serving.services.champions import ChampionLoading, NoChampion, champions
from serving.services.deployments import deployments_consider, deployments_create_missing
from serving.services.input_references import references_due, references_make
from serving.services.keys import key_create
from serving.services.production import production_look
from serving.services.rollouts import rollout_create
from tests import factories
from tests.learning.digits import due_run, label_items
from tests.learning.small_backbone import quantised, quantised_backbone, small_project
from tests.serving.changed_images import blurred, changed
from tests.serving.conftest import service_of, until


@dataclass
class Served:
    project: Project
    truth: dict[int, str]
    version: ModelVersion
    made: QuantisedBackbone
    client: Client

    def ask(self, data: bytes) -> dict[str, Any]:
        path = f"/api/v1/projects/{self.project.slug}/predict?top=10"
        answer = self.client.post(path, data, content_type="application/octet-stream")
        assert answer.status_code == 200, answer.content
        found: dict[str, Any] = answer.json()
        return found

    def precision(self) -> str:
        try:
            return champions.get(self.project.pk)[0].model.precision
        except (ChampionLoading, NoChampion):
            return ""


@pytest.fixture
def served(transactional_db: None) -> Iterator[Served]:
    project, truth = small_project()
    deployments_create_missing()
    deployments_consider()
    _, plain = key_create(project=project, name="tests", user=None)
    client = Client(headers={"Authorization": f"Bearer {plain}"})
    version = ModelVersion.objects.get(project=project)
    yield Served(project, truth, version, quantised_backbone(project), client)
    champions.stop()


def use(version: ModelVersion, made: QuantisedBackbone) -> None:
    """As it is written where int8 is as right and faster, which depends on the machine."""
    QuantisedExport.objects.create(
        version=version, made=made, labels=120, right=100, right_int8=100, used=True, why="int8 answers."
    )


def answered_by(served: Served, onnx: str) -> Callable[[bytes], dict[str, float]]:
    """What the head says on the backbone of this digest, reckoned here."""
    card = served.version.card
    names = [one["name"] for one in card["classes"]]
    embedder = Embedder(artifact_get(digest=onnx, suffix=".onnx"))
    predictor = Predictor(embedder, artifact_get(digest=card["onnx"], suffix=".onnx"), names, 32)

    def answer(data: bytes) -> dict[str, float]:
        (proba,) = predictor.predict(np.stack([prepare(open_rgb(data), 32)]))
        return dict(zip(names, proba.tolist(), strict=True))

    return answer


def test_int8_answers_as_its_graph_does_once_its_export_is_used(served: Served) -> None:
    data = item_bytes(item=Item.objects.filter(project=served.project)[0])
    until(lambda: served.precision() == "float32")
    before = served.ask(data)
    use(served.version, served.made)
    until(lambda: served.precision() == "int8")
    after = served.ask(data)
    for answer, precision, onnx in (
        (before, "float32", served.made.exact),
        (after, "int8", served.made.digest),
    ):
        assert answer["model"]["precision"] == precision
        given = {one["label"]: one["probability"] for one in answer["predictions"][0]["labels"]}
        assert given == pytest.approx(answered_by(served, onnx)(data), abs=1e-6)
        stored = Prediction.objects.get(pk=answer["predictions"][0]["id"])
        assert (stored.precision, stored.model_version) == (precision, served.version)
    assert before["predictions"][0]["labels"] != after["predictions"][0]["labels"]

    path = f"/v2/models/{served.project.slug}"
    assert "precision" in [one["name"] for one in served.client.get(path).json()["outputs"]]
    pixels = np.asarray(open_rgb(data))
    sent = {
        "name": "image",
        "datatype": "UINT8",
        "shape": [1, *pixels.shape],
        "data": pixels.ravel().tolist(),
    }
    told = served.client.post(
        f"{path}/infer", json.dumps({"inputs": [sent]}), content_type="application/json"
    ).json()
    assert {one["name"]: one["data"] for one in told["outputs"]}["precision"] == ["int8"]


def test_an_int8_file_that_is_gone_leaves_float32_answering(served: Served) -> None:
    default_storage.delete(artifact_name(digest=served.made.digest, suffix=".onnx"))
    artifacts._embedders._values.clear()
    use(served.version, served.made)
    until(lambda: served.precision() == "float32")
    data = item_bytes(item=Item.objects.filter(project=served.project)[0])
    assert served.ask(data)["model"]["precision"] == "float32"
    assert not champions.none_works()


def test_a_rollout_compares_its_models_in_the_same_numbers(served: Served) -> None:
    use(served.version, served.made)
    until(lambda: served.precision() == "int8")
    label_items(served.project, served.truth, 20)
    assert run_train(run_id=due_run().pk)
    newer = ModelVersion.objects.filter(project=served.project).order_by("-number")[0]
    rollout_create(
        question=newer.learner.question,
        mode="shadow",
        challenger=newer,
        user=factories.member(served.project, "manager"),
        start=True,
    )

    def arms() -> set[str]:
        live = champions.get(served.project.pk)[0].rollout
        return {arm.precision for arm in live.arms.values()} if live else set()

    until(lambda: arms() == {"float32"})
    assert served.precision() == "float32"
    use(newer, served.made)
    until(lambda: arms() == {"int8"})
    assert served.precision() == "int8"


def test_how_images_look_is_compared_with_the_holdout_where_int8_answers(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = 100
    monkeypatch.setattr(drift, "WINDOW", window)
    project, _ = small_project(images=480)
    deployments_create_missing()
    deployments_consider()
    version = ModelVersion.objects.get(project=project)
    made = quantised(project)
    QuantisedExport.objects.all().delete()
    references_make()
    with service_of(project, version) as service:

        def answers(precision: str) -> bool:
            champion = champions.get(project.pk)[0]
            row = DriftReference.objects.get(backbone=made.name if precision == "int8" else made.backbone)
            reference = champion.reference
            there = reference is not None and reference.digest == row.digest
            return champion.model.precision == precision and there

        def looked(sent: Sequence[bytes], reference: str) -> DriftWindow:
            for start in range(0, window, 50):
                files = [
                    SimpleUploadedFile(f"{n}.png", one) for n, one in enumerate(sent[start : start + 50])
                ]
                assert service.client.post(service.predict_path, {"image": files}).status_code == 200
            Deployment.objects.update(looked_until=timezone.now() - timedelta(minutes=1))
            production_look()
            found = DriftWindow.objects.first()
            assert found is not None
            row = DriftReference.objects.get(backbone=reference)
            assert (found.reference, found.compared) == (row.digest, window)
            return found

        pool = list(Item.objects.filter(project=project, split=Item.Split.POOL).order_by("random_rank"))
        alike = [changed(item_bytes(item=item), paler) for item in pool]
        until(lambda: answers("float32"))
        assert not looked(alike[:window], made.backbone).inputs_drifted

        use(version, made)
        assert [one.backbone for one in references_due()] == [made.name]
        references_make()
        assert references_due() == []
        until(lambda: answers("int8"))
        assert not looked(alike[window : 2 * window], made.name).inputs_drifted
        assert looked([changed(one, blurred) for one in alike[:window]], made.name).inputs_drifted


def paler(image: Image.Image) -> Image.Image:
    """By one level, which nobody sees, and yet not the same picture."""
    return image.point(lambda value: max(0, value - 1))
