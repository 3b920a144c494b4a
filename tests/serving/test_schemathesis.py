"""schemathesis makes up requests from the schema, right and wrong ones, and holds the answers against it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

from labelling.models import Membership
from tests import factories
from tests.serving.conftest import Service
from tests.serving.web import ROOT, web_running

CONFIG = Path(__file__).with_name("schemathesis.toml")
BY_KEY = "^(predict|feedback|v2_.*)$"


def look(service: Service, port: int, config: Path, seconds: int, *options: str) -> None:
    """Fails with what schemathesis says."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"),
            f"http://127.0.0.1:{port}/api/v1/schema",
            *("--max-time", str(seconds), "--max-examples", "15", "--seed", "7", "--no-shrink"),
            *("--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--warnings", "off"),
            *("--request-timeout", "20", "--suppress-health-check", "all", *options),
        ],
        # It keeps notes in the folder where it runs, and finds the hooks from ours.
        cwd=config.parent,
        env={**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(400)
def test_schemathesis_finds_no_failure(service: Service, tmp_path: Path) -> None:
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG.read_text().replace('= "project"', f'= "{service.project.slug}"'))
    manager = Client()
    manager.force_login(factories.member(service.project, Membership.Role.MANAGER))
    cookies = f"sessionid={manager.cookies['sessionid'].value}; csrftoken={'a' * 32}"
    with web_running(service) as web:
        # What API keys open: every check.
        by_key = ("--include-operation-id-regex", BY_KEY, "--header")
        look(service, web.port, config, 35, *by_key, f"Authorization: Bearer {service.plain}")
        # What a signed-in manager's programs use: no request makes an error of ours.
        signed_in = ("--exclude-operation-id-regex", BY_KEY, "--checks", "not_a_server_error")
        headers = ("--header", f"Cookie: {cookies}", "--header", f"X-CSRFToken: {'a' * 32}")
        look(service, web.port, config, 20, *signed_in, *headers)
