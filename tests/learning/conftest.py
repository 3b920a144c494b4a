from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client

from labelling.models import Membership, Project
from tests import factories


@pytest.fixture(autouse=True)
def _light_settings(settings: LazySettings, _plain_static_files: None) -> None:
    """WhiteNoise warns when there is no folder of collected files; `collectstatic` makes it in real life."""
    Path(settings.STATIC_ROOT).mkdir(exist_ok=True)


@pytest.fixture
def manager(project: Project) -> Client:
    """Of the project that the test's module makes."""
    client = Client()
    client.force_login(factories.member(project, Membership.Role.MANAGER))
    return client
