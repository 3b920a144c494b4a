"""int8 answers where its export is used, as its graph answers, and float32 where it cannot."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.test import Client

from labelling.core.images import open_rgb
from labelling.models import Item, Project
from labelling.services.items import item_bytes
from learning.core.backbones import prepare
from learning.core.predictor import Embedder, Predictor
from learning.models import ModelVersion, QuantisedBackbone, QuantisedExport
from learning.services import artifacts
from learning.services.artifacts import artifact_get, artifact_name
from learning.services.training import run_train
from serving.models import Prediction
from serving.services.afterwards import afterwards
from serving.services.champions import ChampionLoading, NoChampion, champions
from serving.services.deployments import deployments_consider, deployments_create_missing
from serving.services.keys import key_create
from serving.services.rollouts import rollout_create
from tests import factories
from tests.learning.digits import due_run, label_items
from tests.learning.small_backbone import quantised_backbone, small_project
from tests.serving.conftest import until


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
    afterwards.stop()
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
