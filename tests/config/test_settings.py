"""The settings as another process with another environment reads them."""

import json
import subprocess
import sys
from pathlib import Path

from tests.e2e.stack import Stack

SHOW = (
    "import json; from django.conf import settings as s; "
    "database = s.DATABASES['default']['NAME']; "
    "print(json.dumps([s.HTTPS, s.SESSION_COOKIE_SECURE, s.CELERY_BROKER_URL, database]))"
)


def read(tmp_path: Path, **env: str) -> "subprocess.CompletedProcess[str]":
    stack = Stack(tmp_path)
    return subprocess.run(
        [sys.executable, "-c", SHOW],
        env={**stack.env, "DJANGO_SETTINGS_MODULE": "config.settings", **env},
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
    )


def test_a_database_of_ones_own_needs_a_secret_of_ones_own(tmp_path: Path) -> None:
    done = read(tmp_path, DATABASE_URL="postgresql://db/quern")
    assert done.returncode == 1
    assert "ImproperlyConfigured: QUERN_SECRET_KEY is not set." in done.stderr


def test_outside_the_embedded_mode_pages_and_cookies_need_https(tmp_path: Path) -> None:
    done = read(
        tmp_path, DATABASE_URL="postgresql://db/other", QUERN_SECRET_KEY="mine", REDIS_URL="redis://r:1/0"
    )
    assert json.loads(done.stdout) == [True, True, "redis://r:1/0", "other"]


def test_what_up_wrote_down_is_found_and_the_environment_wins(tmp_path: Path) -> None:
    written = {
        "DATABASE_URL": "postgresql:///written",
        "REDIS_URL": "unix:///s/redis.sock",
        "QUERN_SECRET_KEY": "k",
        "QUERN_EMBEDDED": "true",
    }
    (tmp_path / "runtime.json").write_text(json.dumps(written))
    assert json.loads(read(tmp_path).stdout) == [False, False, "redis+socket:///s/redis.sock", "written"]
    given = read(tmp_path, DATABASE_URL="postgresql:///given")
    assert json.loads(given.stdout)[-1] == "given"
