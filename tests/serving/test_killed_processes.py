"""A web process is killed: nobody who was not in its hands is turned away."""

import ctypes
import http.client
import signal
from contextlib import ExitStack, closing
from pathlib import Path

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
