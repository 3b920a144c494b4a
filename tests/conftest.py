import pytest
from django.conf import LazySettings


@pytest.fixture(autouse=True)
def _plain_static_files(settings: LazySettings) -> None:
    """The manifest of hashed names exists only after collectstatic, which `up` and the image build run."""
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
