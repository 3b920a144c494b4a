from pathlib import Path

import pytest
from django.conf import LazySettings


@pytest.fixture(autouse=True)
def _light_settings(settings: LazySettings, _plain_static_files: None) -> None:
    """WhiteNoise warns when there is no folder of collected files; `collectstatic` makes it in real life."""
    Path(settings.STATIC_ROOT).mkdir(exist_ok=True)
