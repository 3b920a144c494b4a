import json
from contextlib import AbstractContextManager

from labelling.core.sources.base import (
    FILE_KEY,
    EntryRefused,
    Origin,
    Source,
    SourceUnreadable,
    clean_metadata,
    source,
)
from labelling.core.sources.manifest import Row, open_manifest

_EXAMPLE = '{"file": "cat.png"}'


@source("jsonl", suffixes=(".jsonl", ".ndjson"))
def open_jsonl(origin: Origin) -> AbstractContextManager[Source]:
    """One JSON object a line with a key `file`; the other keys become metadata."""
    return open_manifest(origin, read_rows)


def read_rows(data: bytes, name: str) -> list[Row]:
    """A bad row is refused by itself."""
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    rows = [_row(line, number, name) for number, line in enumerate(lines, 1) if line.strip()]
    if not rows:
        raise SourceUnreadable(f"{name} is empty.")
    return rows


def _row(line: bytes, number: int, name: str) -> Row:
    here = f"Line {number} of {name}"
    try:
        record = json.loads(line.decode())
    except UnicodeDecodeError:
        return Row(line=number, refusal=f"{here} is not UTF-8 text: save the file as UTF-8.")
    except (ValueError, RecursionError) as error:
        return Row(line=number, refusal=f"{here} is not JSON ({str(error)[:100]}).")
    if not isinstance(record, dict):
        return Row(line=number, refusal=f"{here} is not a JSON object, such as {_EXAMPLE}.")
    file = record.pop(FILE_KEY, None)
    if not isinstance(file, str) or not file.strip():
        return Row(line=number, refusal=f"{here} has no text under '{FILE_KEY}'.")
    try:
        return Row(line=number, file=file, metadata=clean_metadata(record))
    except (EntryRefused, RecursionError) as refusal:
        return Row(line=number, file=file, refusal=f"{here}: {refusal}")
