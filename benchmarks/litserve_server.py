"""LitServe with the product's model: run as a command it serves, `litserve_running` runs it as one."""

import base64
import contextlib
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import litserve
import numpy as np
import psutil

from benchmarks.bare_model import WEB_WORKERS, load
from labelling.core.images import open_rgb
from learning.core.backbones import prepare
from tests.e2e.stack import free_port

TOP = 5


class Serving(litserve.LitAPI):  # type: ignore[misc]  # litserve's classes have no types
    def __init__(self, storage: Path, digest: str) -> None:
        super().__init__()
        self.model = storage, digest

    def setup(self, device: str) -> None:
        self.predictor = load(*self.model, threads=1)

    def decode_request(self, request: dict[str, str]) -> bytes:
        return base64.b64decode(request["image"])

    def predict(self, data: bytes) -> dict[str, float]:
        proba = self.predictor.predict(np.stack([prepare(open_rgb(data), self.predictor.input_size)]))[0]
        return {self.predictor.classes[place]: float(proba[place]) for place in np.argsort(-proba)[:TOP]}

    def encode_response(self, output: dict[str, float]) -> dict[str, float]:
        return output


def as_json(data: bytes) -> bytes:
    return json.dumps({"image": base64.b64encode(data).decode()}).encode()


@contextlib.contextmanager
def litserve_running(storage: Path, digest: str) -> Iterator[str]:
    """Its URL, once it answers."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.litserve_server", str(storage), digest, str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("LitServe does not start.")
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        # It leaves its workers behind when it is only asked to end.
        for worker in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.kill()
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(client), contextlib.suppress(OSError):
        client.request("GET", "/health")
        return client.getresponse().status == 200
    return False


def main() -> None:
    storage, digest, port = sys.argv[1:]
    api = Serving(Path(storage), digest)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=WEB_WORKERS)
    server.run(host="127.0.0.1", port=int(port), generate_client_file=False, log_level="warning")


if __name__ == "__main__":
    main()
