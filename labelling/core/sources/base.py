"""What every import source gives: entries in a stable order, their number known before the first is read."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

MAX_NAME = 500
MAX_METADATA_BYTES = 8 * 1024
FILE_KEY = "file"


class SourceUnreadable(ValueError):
    """Why nothing of the source can be imported, in one sentence."""


class EntryRefused(ValueError):
    """Why this entry is not taken, in one sentence; the others are."""


@dataclass(frozen=True, slots=True)
class Entry:
    """`row` is its place in the source, from 1. `read` gives the bytes or raises EntryRefused."""

    row: int
    name: str
    read: Callable[[], bytes]
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """`entries(start)` yields those after the first `start`; calling it again yields the same."""

    total: int
    entries: Callable[[int], Iterator[Entry]]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a source lies: a local path, or an upload that the storage has opened."""

    path: Path | None = None
    stream: BinaryIO | None = None


Opener = Callable[[Origin], AbstractContextManager[Source]]


@dataclass(frozen=True, slots=True)
class SourceKind:
    """`suffixes` are the file names it is chosen by when nobody names the kind; none for a folder."""

    name: str
    suffixes: Sequence[str]
    open: Opener


SOURCES: dict[str, SourceKind] = {}


def source(name: str, *, suffixes: Sequence[str] = ()) -> Callable[[Opener], Opener]:
    def register(opener: Opener) -> Opener:
        SOURCES[name] = SourceKind(name=name, suffixes=suffixes, open=opener)
        return opener

    return register


def refusing(sentence: str) -> Callable[[], bytes]:
    """The `read` of an entry that is refused before anything of it is read."""

    def read() -> bytes:
        raise EntryRefused(sentence)

    return read


def clean_text(text: str, limit: int = MAX_NAME) -> str:
    """Text that PostgreSQL stores: no NUL, no half of a surrogate pair, no more than `limit` characters."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()[:limit]


def clean_metadata(value: dict[str, Any]) -> dict[str, Any]:
    """The same values, safe for a jsonb column. Raises EntryRefused when that is not possible."""
    cleaned = _clean(value)
    size = len(json.dumps(cleaned))
    if size > MAX_METADATA_BYTES:
        raise EntryRefused(f"Its metadata takes {size:,} bytes; at most {MAX_METADATA_BYTES:,} are kept.")
    return cast(dict[str, Any], cleaned)


def _clean(value: object) -> object:
    if isinstance(value, str):
        return clean_text(value, limit=len(value))
    if isinstance(value, float) and not math.isfinite(value):
        raise EntryRefused("Its metadata holds a number that is not finite.")
    if isinstance(value, dict):
        return {clean_text(key): _clean(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_clean(inner) for inner in value]
    return value
