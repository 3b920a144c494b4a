"""Registries that fill themselves: one file an entry, found because the package imports its siblings."""

import importlib
import pkgutil
from collections.abc import Iterable
from typing import Protocol, TypeVar

from learning.core.shown import shown


class Named(Protocol):
    @property
    def name(self) -> str: ...


Entry = TypeVar("Entry", bound=Named)


def add(registry: dict[str, Entry], entry: Entry, kind: str) -> None:
    """Raises ValueError when the name is taken: two files would silently fight over it."""
    if entry.name in registry:
        raise ValueError(f"Two {plural(kind)} are called '{entry.name}': give one of them another name.")
    registry[entry.name] = entry


def plural(kind: str) -> str:
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


def find(registry: dict[str, Entry], name: str, kind: str) -> Entry:
    if not isinstance(name, str) or name not in registry:
        raise ValueError(f"There is no {kind} {shown(name)}; there are: {', '.join(registry)}.")
    return registry[name]


def import_siblings(package: str, path: Iterable[str]) -> None:
    """Import every module of a package, by name, so that the order of a registry is the same everywhere."""
    for module in sorted(pkgutil.iter_modules(path), key=lambda found: found.name):
        importlib.import_module(f"{package}.{module.name}")
