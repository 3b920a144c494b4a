"""Results of a long benchmark, kept on disk as they come: the same command goes on where it was ended.

`python -m benchmarks.kept augment` puts those of var/benchmarks/augment into
benchmarks/results/augment.jsonl, a line each, which stands in the repository: a clone prints the tables
without the hours.
"""

import argparse
import hashlib
import io
import json
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

ROOT = Path(__file__).parent.parent
ARCHIVES = ROOT / "benchmarks" / "results"
SOURCES = ("learning/core", "benchmarks/label_*.py", "benchmarks/pictures.py")


class OutOfTime(SystemExit):
    """The minutes given are over; what is done is kept. Raised instead of beginning something."""


class Kept:
    """Files in a folder, one a result, named by what was computed and by the code that did it."""

    def __init__(self, folder: Path, minutes: float = np.inf, sources: Sequence[str] = SOURCES) -> None:
        self.folder = folder
        self.ends = time.monotonic() + 60 * minutes
        self.code = _code(sources)
        self.archived = _archived(folder.name)

    def value(self, of: Sequence[object], make: Callable[[], T]) -> T:
        """What `make` returned for these words, a JSON value. Raises OutOfTime before it would be called."""
        path = self._path(of, ".json")
        if path.exists():
            kept: T = json.loads(path.read_text())
            return kept
        if path.stem in self.archived:
            old: T = self.archived[path.stem]
            return old
        self.begin()
        made = make()
        _write(path, json.dumps(made).encode())
        return made

    def of(self, sources: Sequence[str]) -> "Kept":
        """For what depends on these sources only."""
        other = Kept(self.folder, sources=sources)
        other.ends = self.ends
        return other

    def has(self, of: Sequence[object]) -> bool:
        path = self._path(of, ".json")
        return path.exists() or path.stem in self.archived

    def array(self, of: Sequence[object], make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        path = self._path(of, ".npy")
        if not path.exists():
            self.begin()
            file = io.BytesIO()
            np.save(file, make(), allow_pickle=False)
            _write(path, file.getvalue())
        found: NDArray[Any] = np.load(path, allow_pickle=False)
        return found

    def data(self, of: Sequence[object], make: Callable[[], bytes]) -> bytes:
        path = self._path(of, ".bin")
        if not path.exists():
            self.begin()
            _write(path, make())
        return path.read_bytes()

    def begin(self) -> None:
        if time.monotonic() > self.ends:
            raise OutOfTime("The minutes are over; what is done is kept. The same command goes on.")

    def _path(self, of: Sequence[object], suffix: str) -> Path:
        said = json.dumps([*of, self.code])
        name = "-".join(str(word) for word in of if isinstance(word, str | int)).lower()
        name = re.sub(r"[^a-z0-9-]+", "-", name)
        return self.folder / f"{name}-{hashlib.sha256(said.encode()).hexdigest()[:12]}{suffix}"


def archive(name: str) -> Path:
    """The kept values of a benchmark, with those archived before; arrays and networks can be made anew."""
    values = _archived(name) | {
        path.stem: json.loads(path.read_text()) for path in Path("var/benchmarks", name).glob("*.json")
    }
    lines = [json.dumps({"name": stem, "value": value}) for stem, value in sorted(values.items())]
    path = ARCHIVES / f"{name}.jsonl"
    _write(path, "".join(f"{line}\n" for line in lines).encode())
    return path


def _archived(name: str) -> dict[str, Any]:
    path = ARCHIVES / f"{name}.jsonl"
    lines = map(json.loads, path.read_text().splitlines()) if path.exists() else ()
    return {line["name"]: line["value"] for line in lines}


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_bytes(data)
    partial.rename(path)


def _code(sources: Sequence[str]) -> str:
    """A digest of the sources that results depend on: with other ones, all is computed anew."""
    patterns = [one if one.endswith(".py") else f"{one}/**/*.py" for one in sources]
    files = [path for one in patterns for path in sorted(ROOT.glob(one))]
    found = hashlib.sha256()
    for path in files:
        found.update(path.read_bytes())
    return found.hexdigest()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kept", description=__doc__)
    parser.add_argument("names", nargs="+", help="of folders in var/benchmarks")
    for name in parser.parse_args().names:
        print(archive(name))
