import pytest
from django.conf import LazySettings


@pytest.fixture(autouse=True)
def _plain_static_files(settings: LazySettings) -> None:
    """The manifest of hashed names exists only after collectstatic, which `up` and the image build run."""
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture(autouse=True)
def _quick_passwords(settings: LazySettings) -> None:
    """The real hash takes a third of a second by design, for each of hundreds of users."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
