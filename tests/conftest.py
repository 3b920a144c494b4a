import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer
from pytest_django.plugin import DjangoDbBlocker

from tests.e2e.browser import chromium
from tests.emptying import emptied_quickly
from tests.once import once

# Of those that need the demo one begins, and makes it; the others come when it is there.
LONGEST = (
    "tests/e2e/test_loop.py",
    "tests/config/test_up.py",
    "tests/serving/test_schemathesis.py",
    "tests/serving/test_input_drift.py",
    "tests/learning/services/test_pretraining.py",
    "tests/e2e/test_worker_kills.py",
    "tests/e2e/test_kills.py",
    "tests/e2e/test_rules.py",
)
PLAIN = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: no process is left with one of them when the others have ended."""
    place = {file: number for number, file in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.location[0], len(place)))


@pytest.fixture(autouse=True)
def _plain_static_files(settings: LazySettings) -> None:
    """The manifest of hashed names exists only after collectstatic, which `up` and the image build run."""
    settings.STORAGES = {**settings.STORAGES, "staticfiles": PLAIN}


@pytest.fixture(autouse=True)
def _quick_passwords(settings: LazySettings) -> None:
    """The real hash takes a third of a second by design, for each of hundreds of users."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings: None, django_db_blocker: DjangoDbBlocker
) -> None:
    """Each process's database begins as a copy of one that was migrated for the whole run."""

    def migrate(folder: Path) -> None:
        with django_db_blocker.unblock():
            call_command("migrate", interactive=False, verbosity=0)
            # A database that is in use cannot be copied.
            connection.close()

    once("migrated", migrate)
    connection.settings_dict["TEST"]["TEMPLATE"] = connection.settings_dict["NAME"]


@pytest.fixture(scope="session", autouse=True)
def _emptied_quickly() -> Iterator[None]:
    with emptied_quickly():
        yield


@pytest.fixture(scope="session")
def _static_files() -> None:
    files = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    with override_settings(STORAGES={"default": files, "staticfiles": PLAIN}):
        call_command("collectstatic", link=True, interactive=False, verbosity=0)


@pytest.fixture(scope="session")
def live_server(_static_files: None, live_server: LiveServer) -> LiveServer:
    """It starts before any test's own settings hold, and serves what is collected."""
    return live_server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Playwright's own event loop makes Django believe that it is called from asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with chromium() as running:
        yield running
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
