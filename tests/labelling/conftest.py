import pytest
from django.core.management import call_command
from django.test import override_settings


@pytest.fixture(autouse=True, scope="session")
def _static_files() -> None:
    """The live server, which starts before any test's own settings hold, serves what is collected."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    files = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    with override_settings(STORAGES={"default": files, "staticfiles": plain}):
        call_command("collectstatic", link=True, interactive=False, verbosity=0)
