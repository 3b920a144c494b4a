from pathlib import Path

import pytest
from django.conf import LazySettings


@pytest.fixture(autouse=True)
def _static_folder(settings: LazySettings) -> None:
    """The web server looks into it at its start; collectstatic has not made it here."""
    Path(settings.STATIC_ROOT).mkdir(exist_ok=True)


@pytest.fixture(autouse=True)
def _quick_passwords(settings: LazySettings) -> None:
    """A real password hash is slow on purpose; these tests make hundreds of users."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
