"""The product's model behind the same web server and nothing else: what HTTP costs without Quern.

It knows no key, keeps no record, refuses nothing, and answers with the likeliest labels alone.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.mp import MPServer

from benchmarks.bare_model import WEB_WORKERS, load
from labelling.core.images import open_rgb
from learning.core.backbones import prepare

TOP = 5
THREADS = 4  # of each process


class Application:
    def __init__(self, storage: Path, digest: str) -> None:
        self.predictor = load(storage, digest, threads=1)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        image = open_rgb(environ["wsgi.input"].read())
        proba = self.predictor.predict(np.stack([prepare(image, self.predictor.input_size)]))[0]
        told = {self.predictor.classes[place]: float(proba[place]) for place in np.argsort(-proba)[:TOP]}
        answer = json.dumps(told).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
        return [answer]


def main() -> None:
    storage, digest, port = sys.argv[1:]
    server = MPServer(
        "benchmarks.bare_server",
        address="127.0.0.1",
        port=int(port),
        interface=Interfaces.WSGI,
        workers=WEB_WORKERS,
        blocking_threads=THREADS,
        websockets=False,
        log_access=False,
        log_level=LogLevels.warning,
    )
    server.serve(target_loader=lambda *_: Application(Path(storage), digest))


if __name__ == "__main__":
    main()
