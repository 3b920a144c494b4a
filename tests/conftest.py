import os
from collections.abc import Iterator

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.test import override_settings
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from tests.e2e.browser import chromium

PLAIN = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}


@pytest.fixture(autouse=True)
def _plain_static_files(settings: LazySettings) -> None:
    """The manifest of hashed names exists only after collectstatic, which `up` and the image build run."""
    settings.STORAGES = {**settings.STORAGES, "staticfiles": PLAIN}


@pytest.fixture(autouse=True)
def _quick_passwords(settings: LazySettings) -> None:
    """The real hash takes a third of a second by design, for each of hundreds of users."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


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
