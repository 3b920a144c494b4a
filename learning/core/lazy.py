"""Libraries that take seconds and hundreds of megabytes to load: loaded at their first use, in the processes
that use them. The web server and beat, which only need the names and texts of the registries, never do.
"""

import importlib
from types import ModuleType


class _Lazy(ModuleType):
    def __getattr__(self, name: str) -> object:
        return getattr(importlib.import_module(self.__name__), name)


_often: list[str] = []


def lazy(name: str, *, often: bool = True) -> ModuleType:
    """The module of that name, imported when something of it is first asked for.

    `often`: a worker that learns is sure to need it.
    """
    if often:
        _often.append(name)
    return _Lazy(name)


def load_often_used() -> None:
    """Load them now: in a worker that learns, nobody should wait for them at the first labels."""
    for name in _often:
        importlib.import_module(name)
