"""The kinds of import, one file each: every module here that registers itself with `@source` is one."""

import importlib
import pkgutil
from pathlib import Path

from labelling.core.sources.base import SOURCES, Entry, EntryRefused, Origin, Source, SourceUnreadable

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")


def kind_of(path: Path) -> str:
    """The kind of import a local path is. Raises SourceUnreadable."""
    if path.is_dir():
        return "folder"
    if not path.exists():
        raise SourceUnreadable(f"There is nothing at {path}.")
    for kind in SOURCES.values():
        if path.suffix.lower() in kind.suffixes:
            return kind.name
    known = ", ".join(suffix for kind in SOURCES.values() for suffix in kind.suffixes)
    raise SourceUnreadable(f"{path} is neither a folder nor one of {known}: say what it is with --kind.")


__all__ = ["SOURCES", "Entry", "EntryRefused", "Origin", "Source", "SourceUnreadable", "kind_of"]
