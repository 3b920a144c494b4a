"""LitServe with the product's model."""

import base64
import json
import sys
from pathlib import Path

import litserve
import numpy as np

from benchmarks.bare_model import WEB_WORKERS, load
from labelling.core.images import open_rgb
from learning.core.backbones import prepare

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


def main() -> None:
    storage, digest, port = sys.argv[1:]
    api = Serving(Path(storage), digest)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=WEB_WORKERS)
    server.run(host="127.0.0.1", port=int(port), generate_client_file=False, log_level="warning")


if __name__ == "__main__":
    main()
