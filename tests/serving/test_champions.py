import http.client
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.test import Client

from learning.core.predictor import Predictor
from learning.models import ModelVersion
from learning.services.artifacts import artifact_name, predictor_load
from serving.models import Arm, Deployment
from serving.services.champions import ChampionLoading, champions
from serving.services.deployments import deployment_promote
from serving.services.traffic import traffic_policy_set
from tests import factories
from tests.serving import trained
from tests.serving.conftest import Service, answers_with, until
from tests.serving.rolled import begun, rollout
from tests.serving.trained import DARK, picture
from tests.serving.web import web_running


@pytest.fixture
def web(service: Service) -> Iterator[int]:
    """The port of a real web server of two processes on the test's database."""
    with web_running(service) as running:
        yield running.port


def ask(service: Service, port: int, unit: str = "") -> tuple[int, int, float]:
    """Status, version that answered, and the moment of the answer, over a connection of its own."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Authorization": f"Bearer {service.plain}", "Content-Type": "image/png", "X-Unit-Key": unit}
    try:
        client.request("POST", service.predict_path, picture(DARK), headers)
        response = client.getresponse()
        answer = json.loads(response.read())
    except OSError:
        return 0, 0, time.monotonic()
    finally:
        client.close()
    [prediction] = answer.get("predictions", [{}])
    model = prediction.get("model") or answer.get("model", {})
    return response.status, model.get("version", 0), time.monotonic()


Answer = tuple[int, int, float]


def answers_around(service: Service, port: int, act: Callable[[], object]) -> tuple[list[Answer], float]:
    """What four clients get before, while and after something is done, and when it was done."""
    answers: list[Answer] = []
    stop = threading.Event()

    def client(number: int) -> None:
        while not stop.is_set():
            answers.append(ask(service, port, f"client-{number}-{len(answers)}"))

    clients = [threading.Thread(target=client, args=[number]) for number in range(4)]
    for thread in clients:
        thread.start()
    time.sleep(0.5)
    act()
    done = time.monotonic()
    time.sleep(2.0)
    stop.set()
    for thread in clients:
        thread.join()
    assert {status for status, _, _ in answers} == {200}
    assert sum(at > done + 1 for _, _, at in answers) > 10
    return answers, done


def test_promotions_and_roll_backs_reach_every_web_process_within_a_second_and_no_request_fails(
    service: Service, web: int
) -> None:
    second = trained.version(service.project, seed=2)

    def promote() -> None:
        deployment_promote(project=service.project, version=second, actor=factories.user(), reason="A test.")

    answers, promoted = answers_around(service, web, promote)
    late = [at - promoted for _, version, at in answers if version == 1 and at > promoted]
    assert max(late, default=0) < 1.0

    rolled = rollout(service, "ab", service.version, share=0.9)
    # Of so many units, some fall to the smaller arm.
    until(lambda: {ask(service, web, f"client-{n}")[1] for n in range(100)} == {1, 2})
    answers, back = answers_around(service, web, lambda: rolled.act("abort"))
    assert any(version == 1 for _, version, at in answers if at < back)
    late = [at - back for _, version, at in answers if version == 1 and at > back]
    assert max(late, default=0) < 1.0


def test_the_old_champion_answers_when_the_new_one_cannot_be_loaded(service: Service) -> None:
    broken = trained.version(service.project, seed=3)
    head = (
        Path(os.environ["QUERN_DATA_DIR"])
        / "storage"
        / artifact_name(digest=broken.card["onnx"], suffix=".onnx")
    )
    whole = head.read_bytes()
    head.write_bytes(whole[:-10])
    deployment_promote(project=service.project, version=broken, actor=factories.user(), reason="A test.")
    until(lambda: champions.trouble(service.project.pk) != "")
    assert answers_with(service.project, service.version)
    manager = Client()
    manager.force_login(factories.member(service.project, "manager"))
    page = f"/projects/{service.project.slug}"

    def told(words: str) -> bool:
        found = [manager.get(f"{page}/{name}/").content.decode() for name in ("deployment", "serving/panel")]
        assert (words in found[0]) == (words in found[1])
        return words in found[0]

    assert told("Version 2 cannot be loaded")
    assert told("Until it can, what answered before does; promote another version")
    # A process that begins now has nothing else to answer with, and lets nobody wait for it.
    champions.stop()
    with pytest.raises(ChampionLoading):
        champions.get(service.project.pk)
    until(lambda: champions.trouble(service.project.pk) != "")
    asked = service.client.post(service.predict_path, picture(DARK), content_type="image/png")
    said = {"detail": "The model cannot be loaded: the project's managers see why."}
    assert (asked.status_code, asked.json(), asked["Retry-After"]) == (503, said, "1")
    assert told("Until it can, clients get no answer")
    head.write_bytes(whole)
    until(lambda: answers_with(service.project, broken), 15)
    assert not told("cannot be loaded")


def test_one_failed_try_to_load_an_arm_is_no_evidence_and_a_loaded_arm_has_no_error(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []
    broken = True

    def load(*, version: ModelVersion, int8: str = "") -> Predictor:
        if version == new:
            tries.append(version.pk)
            if broken:
                raise OSError("the storage is away")
        return predictor_load(version=version, int8=int8)

    monkeypatch.setattr("serving.services.model_loader.predictor_load", load)
    monkeypatch.setattr("serving.services.model_loader.POLLS_BETWEEN_TRIES", 3)
    new = trained.version(service.project, seed=1)
    rolled = begun(service, "canary", new)
    arm = Arm.objects.get(rollout=rolled.pk, name="challenger")

    def said() -> str:
        arm.refresh_from_db()
        return arm.load_error

    until(lambda: len(tries) == 1)
    time.sleep(0.5)
    assert (len(tries), said()) == (1, "")
    until(lambda: said() != "")
    assert len(tries) == 2
    broken = False
    rolled.loaded()
    assert said() == ""
    assert rolled.look() is None or rolled.row.state == "running"


def test_a_champion_that_is_not_loaded_yet_is_503_with_a_time_to_come_back(service: Service) -> None:
    champions.stop()
    soon = {"X-Request-Timeout": "0.000001"}
    response = service.client.post(
        service.predict_path, picture(DARK), content_type="image/png", headers=soon
    )
    assert response.status_code == 503
    assert response["Retry-After"] == "1"
    assert response.json() == {"detail": "The model is being loaded. Try again in a second."}
    # Who allows more waits for it.
    champions.stop()
    waited = service.client.post(service.predict_path, picture(DARK), content_type="image/png")
    assert waited.status_code == 200
    until(lambda: answers_with(service.project, service.version))


def test_a_deleted_deployment_is_forgotten(service: Service) -> None:
    Deployment.objects.all().delete()
    until(lambda: not answers_with(service.project, service.version))
    assert ModelVersion.objects.exists()
    response = service.client.post(service.predict_path, picture(DARK), content_type="image/png")
    assert response.status_code == 409


def test_a_roll_back_waits_for_no_model_that_is_being_loaded(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading, may_end = threading.Event(), threading.Event()
    large: set[ModelVersion] = set()

    def load(*, version: ModelVersion, int8: str = "") -> Predictor:
        if version in large:
            loading.set()
            assert may_end.wait(30)
        return predictor_load(version=version, int8=int8)

    monkeypatch.setattr("serving.services.model_loader.predictor_load", load)

    def dealt() -> bool:
        return champions.get(service.project.pk)[0].rollout is not None

    rolled = rollout(service, "ab", trained.version(service.project, seed=1))
    other = trained.project()
    champion = trained.version(other)
    large.add(champion)
    Deployment.objects.create(project=other, question=other.questions.get(), champion=champion)
    try:
        assert loading.wait(10)
        assert dealt()
        traffic_policy_set(project=service.project, keep_images=True)
        rolled.manager.post(f"{rolled.api}/abort")
        assert until(lambda: not dealt()) < 1
        assert champions.get(service.project.pk)[0].keep_images
        assert not champions.database_is_silent()
        may_end.set()
        until(lambda: answers_with(other, champion))
        # A challenger that is taken back while it is being loaded is never dealt to anybody.
        loading.clear()
        may_end.clear()
        challenger = trained.version(service.project, seed=2)
        large.add(challenger)
        taken_back = begun(service, "ab", challenger)
        assert loading.wait(10)
        taken_back.manager.post(f"{taken_back.api}/abort")
        time.sleep(1)  # more than a look
    finally:
        may_end.set()
    seen = []
    for _ in range(200):
        seen.append(dealt())
        time.sleep(0.005)
    assert not any(seen)
