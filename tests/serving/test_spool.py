"""An answer waits for no database, and a killed process loses no record of one."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from serving.models import Prediction
from serving.services import prediction_log
from serving.services.keys import key_create
from serving.services.spool import Spool
from tests.serving import trained
from tests.serving.conftest import Service
from tests.serving.trained import DARK, picture

WRITER = """
import sys, time
from pathlib import Path
from serving.services.spool import Spool
spool = Spool(lambda: Path(sys.argv[1]), lambda lines, again: None)
for number in range(100_000):
    spool.append([str(number).encode()])
    print(number, flush=True)
    time.sleep(0.001)
"""


class Stored:
    """A database of lines that may be out of order."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.broken = False

    def __call__(self, lines: list[bytes], perhaps_already: bool) -> None:
        if self.broken:
            raise OperationalError("gone")
        self.lines += [line for line in lines if not (perhaps_already and line in self.lines)]


def test_what_a_killed_process_has_kept_is_stored_by_another(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline() for _ in range(50)]
    stored = Stored()
    other = Spool(lambda: tmp_path, stored)
    other.take_over()
    assert stored.lines == []  # its writer lives
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    acknowledged += writer.stdout.readlines()
    writer.stdout.close()
    other.take_over()
    assert len(acknowledged) >= 50
    # At most one line was kept whose acknowledgement was not read.
    assert stored.lines[: len(acknowledged)] == [line.strip().encode() for line in acknowledged]
    assert len(stored.lines) <= len(acknowledged) + 1
    assert list(tmp_path.iterdir()) == []
    other.take_over()
    assert len(stored.lines) <= len(acknowledged) + 1


def test_while_the_database_is_gone_rows_wait_and_none_is_stored_twice(tmp_path: Path) -> None:
    stored = Stored()
    spool = Spool(lambda: tmp_path, stored)
    stored.broken = True
    for number in range(3):
        spool.append([b"%d" % number])
        with pytest.raises(OperationalError):
            spool.hand_over()
    stored.broken = False
    spool.append([b"3", b"4"])
    spool.hand_over()
    assert stored.lines == [b"0", b"1", b"2", b"3", b"4"]
    spool.hand_over()
    assert len(stored.lines) == 5
    assert list(tmp_path.iterdir()) == []


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "1-a.rows").write_bytes(b"one\ntwo\nthr")
    stored = Stored()
    Spool(lambda: tmp_path, stored).take_over()
    assert stored.lines == [b"one", b"two"]


def test_lines_that_were_written_in_part_take_no_others_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = Stored()
    spool = Spool(lambda: tmp_path, stored)
    spool.append([b"one"])
    real = os.write
    calls: list[int] = []

    def half_full(file: int, data: bytes) -> int:
        """The disk takes eight bytes, then none."""
        calls.append(file)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return real(file, data[:8])

    with monkeypatch.context() as full:
        full.setattr("serving.services.spool.os.write", half_full)
        with pytest.raises(OSError, match="No space"):
            spool.append([b"two", b"three", b"four"])
    spool.append([b"five"])
    spool.hand_over()
    assert stored.lines == [b"one", b"five"], "what was refused is not stored, what was accepted is"


def test_feedback_may_come_at_once(spooling: Service) -> None:
    for number in range(5):
        answer = spooling.client.post(
            spooling.predict_path, picture(DARK, number), content_type="image/png"
        ).json()
        [prediction] = answer["predictions"]
        path = f"/api/v1/projects/{spooling.project.slug}/predictions/{prediction['id']}/feedback"
        assert (
            spooling.client.post(path, {"label": "dark"}, content_type="application/json").status_code == 201
        )
    stored = Prediction.objects.get(pk=prediction["id"])
    assert stored.top == prediction["labels"]
    assert (stored.model_version_id, stored.api_key_id) == (spooling.version.pk, spooling.key.pk)
    assert 0 < stored.infer_ms < 60_000
    assert Prediction.objects.count() == 5


def test_on_a_full_disk_a_prediction_is_refused_in_a_sentence(
    spooling: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("serving.services.spool.os.write", full)
    response = spooling.client.post(spooling.predict_path, picture(DARK), content_type="image/png")
    assert response.status_code == 503
    assert response["Retry-After"] == "1"
    assert response.json()["detail"] == (
        "Predictions cannot be recorded on this machine: No space left on device."
    )


def line(service: Service, **columns: int) -> bytes:
    made = Prediction(
        project_id=columns.get("project", service.project.pk),
        api_key_id=columns.get("key", service.key.pk),
        model_version_id=service.version.pk,
        request_id="0" * 32,
        digest="0" * 64,
        top=[{"label": 'a "quoted"\tlabel \\N', "probability": 0.5}],
        decode_ms=1.0,
        infer_ms=2.0,
    )
    return prediction_log._line(made, "2026-01-01T00:00:00+00:00")


def test_rows_of_a_deleted_project_go_with_it_and_the_others_are_stored_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_log, "_TOGETHER", 2)
    other = trained.project()
    gone, _ = key_create(project=other, name="gone", user=None)

    lines = [line(service), line(service, key=gone.pk, project=other.pk), line(service)]
    other.delete()
    for perhaps_already in (False, True, True):
        prediction_log._stored(lines, perhaps_already)
    stored = Prediction.objects.order_by("id")
    assert {str(one.pk) for one in stored} == {json.loads(lines[n])["id"] for n in (0, 2)}
    assert stored[0].top == [{"label": 'a "quoted"\tlabel \\N', "probability": 0.5}]


def test_a_line_from_before_an_upgrade_is_stored_and_a_damaged_one_keeps_none_back(service: Service) -> None:
    told = json.loads(line(service))
    before = {name: value for name, value in told.items() if name not in ("precision", "place", "arm")}
    prediction_log._stored([json.dumps(before).encode(), b"[1, 2]", b"{", line(service)], False)
    stored = Prediction.objects.get(pk=told["id"])
    assert (stored.precision, stored.place, stored.arm) == ("float32", None, "champion")
    assert Prediction.objects.count() == 2


def test_few_wait_for_predictions_that_are_not_known_and_the_others_are_told_to_come_back(
    spooling: Service,
) -> None:
    def send(_: int) -> tuple[int, float]:
        began = time.monotonic()
        path = f"/api/v1/projects/{spooling.project.slug}/predictions/{uuid.uuid4()}/feedback"
        answer = spooling.client.post(path, {"label": "dark"}, content_type="application/json")
        connection.close()
        return answer.status_code, time.monotonic() - began

    with ThreadPoolExecutor(24) as pool:
        told = list(pool.map(send, range(24)))
    assert sorted(status for status, _ in told) == [404] * 2 + [503] * 22
    assert all(took > 0.9 for status, took in told if status == 404)
    with CaptureQueriesContext(connection) as asked:
        assert prediction_log.prediction_find(project_id=spooling.project.pk, pk=uuid.uuid4()) is None
    assert len(asked) == 3
