"""What CSV and JSONL manifests share: rows that name a file and say something about it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO

from labelling.core.sources.base import Entry, Origin, Source, SourceUnreadable, clean_text, refusing
from labelling.core.sources.files import read_below

MAX_MANIFEST_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Row:
    """`line` counts from 1, as an editor shows it. A row with a `refusal` gives nothing else."""

    line: int
    file: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    refusal: str = ""


RowReader = Callable[[bytes, str], list[Row]]


@contextmanager
def open_manifest(origin: Origin, read_rows: RowReader) -> Iterator[Source]:
    """The rows' files, looked for next to the manifest."""
    if origin.path is None:
        raise SourceUnreadable(
            "A manifest alone brings no images: zip them with it, as manifest.csv or manifest.jsonl."
        )
    try:
        with origin.path.open("rb") as file:
            data = manifest_bytes(file, origin.path.name)
    except OSError as error:
        raise SourceUnreadable(f"{origin.path} cannot be read ({error.strerror}).") from None
    rows = read_rows(data, origin.path.name)
    root = origin.path.parent.resolve()

    def entries(start: int) -> Iterator[Entry]:
        for row in rows[start:]:
            read = refusing(row.refusal) if row.refusal else partial(read_below, root, row.file)
            yield Entry(row=row.line, name=clean_text(row.file), read=read, metadata=row.metadata)

    yield Source(total=len(rows), entries=entries)


def manifest_bytes(file: BinaryIO, name: str) -> bytes:
    data = file.read(MAX_MANIFEST_BYTES + 1)
    if len(data) > MAX_MANIFEST_BYTES:
        raise SourceUnreadable(f"{name} is larger than {MAX_MANIFEST_BYTES // 1024**2} MB: split it.")
    if not data.strip():
        raise SourceUnreadable(f"{name} is empty.")
    return data
