"""Ways to try a model in production, one file each. Adding one: a new file here that uses `@mode`."""

from learning.core.registry import import_siblings
from serving.core.modes.base import (
    CHALLENGER,
    CHAMPION,
    MODES,
    Figure,
    Mode,
    Outlook,
    Split,
    State,
    Verdict,
    mode,
    mode_named,
)

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "MODES",
    "Figure",
    "Mode",
    "Outlook",
    "Split",
    "State",
    "Verdict",
    "mode",
    "mode_named",
]

import_siblings(__name__, __path__)
