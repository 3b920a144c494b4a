"""The rules of the house, run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [p for app in ("config", "labelling", "learning", "serving") for p in (ROOT / app).rglob("*.py")]


def test_imports_run_only_downwards(capsys: pytest.CaptureFixture[str]) -> None:
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None) == 0, (
        capsys.readouterr().out
    )


def test_a_process_that_only_serves_loads_none_of_the_heavy_libraries() -> None:
    """They take seconds of every start, and hundreds of megabytes; learning.core.lazy has the way out."""
    show = (
        "import sys, django; django.setup();"
        "import config.urls, labelling.tasks, learning.tasks, serving.tasks;"
        "print(sorted({'torch', 'torchvision', 'sklearn', 'modAL', 'scipy.stats'} & sys.modules.keys()))"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(
        [sys.executable, "-c", show], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_nothing_unpickles() -> None:
    """Artifacts are safetensors, ONNX, JSON and npy without objects."""
    forbidden = re.compile(
        r"^\s*(import|from) (pickle|dill|joblib)\b|allow_pickle=True|weights_only=False", re.M
    )
    assert not [p for p in SOURCES if forbidden.search(p.read_text())]


def test_only_the_settings_read_the_environment() -> None:
    """Management commands that start processes hand an environment on; they do not decide by it."""
    readers = {
        str(p.relative_to(ROOT))
        for p in SOURCES
        if re.search(r"environ\.get|getenv|environ\[[^\]]+\](?! =)", p.read_text())
    }
    assert readers <= {"config/settings.py", "config/environment.py"}


def test_there_is_no_utils_and_no_common() -> None:
    assert not [p for p in SOURCES if p.stem in {"utils", "common", "helpers", "misc"}]


def test_no_app_listens_to_django_signals() -> None:
    assert not [
        p
        for p in SOURCES
        if "django.db.models.signals" in p.read_text() or "django.dispatch" in p.read_text()
    ]
