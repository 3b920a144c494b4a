"""A web process is killed: nobody who was not in its hands is turned away."""

import ctypes
import http.client
import signal
import threading
import urllib.error
import urllib.request
from contextlib import ExitStack, closing
from pathlib import Path
from typing import cast

import psutil
import pytest

from serving.models import Prediction
from tests.serving.conftest import Service, until
from tests.serving.trained import DARK, picture
from tests.serving.web import web_running

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS = 8


def test_requests_that_wait_for_a_killed_process_are_answered_by_the_next(service: Service) -> None:
    headers = {"Authorization": f"Bearer {service.plain}", "Content-Type": "image/png"}
    with web_running(service) as web, ExitStack() as stack:
        workers = web.workers
        for worker in workers:
            worker.suspend()  # what comes now waits at its socket
        # A thread stops when it is scheduled, and may accept until then.
        until(lambda: all(map(_stands_still, workers)), 10)
        clients = [
            stack.enter_context(closing(http.client.HTTPConnection("127.0.0.1", web.port, timeout=30)))
            for _ in range(CLIENTS)
        ]
        for client in clients:
            client.request("POST", service.predict_path, picture(DARK), headers)
        for worker in workers:
            worker.kill()
        answers = [client.getresponse() for client in clients]
        assert [answer.status for answer in answers] == [200] * CLIENTS
        assert all(b"predictions" in answer.read() for answer in answers)
        assert not any(psutil.pid_exists(worker.pid) for worker in workers)
        until(lambda: Prediction.objects.count() == CLIENTS, 10)


def test_with_a_front_nobody_loses_a_request_that_a_killed_process_had_in_hand(service: Service) -> None:
    with web_running(service, front=True) as web:
        over, statuses, ids = threading.Event(), list[int](), list[str]()

        def ask() -> None:
            while not over.is_set():
                status, _, body = web.ask()
                statuses.append(status)
                ids.extend(one["id"] for one in cast(list[dict[str, str]], body.get("predictions", [])))

        clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            for _ in range(6):
                over.wait(1.0)
                until(lambda: bool(web.workers), 10)
                web.workers[0].kill()
        finally:
            over.set()
            for client in clients:
                client.join()
        assert set(statuses) == {200}
        assert len(ids) == len(statuses)
        until(lambda: Prediction.objects.filter(id__in=ids).count() == len(ids), 10)


def test_a_front_changes_nothing_of_what_a_client_says_and_is_told(service: Service) -> None:
    with web_running(service, {"QUERN_EMBEDDED": "true"}, front=True) as web:

        def get(**headers: str) -> tuple[int, set[str]]:
            request = urllib.request.Request(f"http://127.0.0.1:{web.port}/metrics", headers=headers)
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return answer.status, {name.lower() for name in answer.headers}
            except urllib.error.HTTPError as refused:
                with refused:
                    return refused.code, {name.lower() for name in refused.headers}

        # It opens to this machine itself, and to nobody who comes through a proxy.
        status, named = get()
        assert status == 200
        assert "content-encoding" not in named
        assert get(**{"X-Forwarded-For": "127.0.0.1"})[0] == 403


def _stands_still(process: psutil.Process) -> bool:
    threads = Path(f"/proc/{process.pid}/task").glob("*/stat")
    return {one.read_text().rpartition(")")[2].split()[0] for one in threads} == {"T"}


def test_a_signal_that_reaches_another_thread_of_the_server_ends_it_too(service: Service) -> None:
    with web_running(service) as web:
        server = psutil.Process(web.process.pid)
        [other, *_] = [thread.id for thread in server.threads() if thread.id != server.pid]
        # As the kernel may do when the main thread has another signal to see to.
        assert ctypes.CDLL(None, use_errno=True).tgkill(server.pid, other, signal.SIGTERM) == 0
        assert web.process.wait(15) == 0
