"""A table of labels, as the export writes it: CSV with a header, or JSON lines. It brings no images."""

import csv
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from labelling.core.sources.base import (
    Entry,
    Origin,
    Source,
    SourceUnreadable,
    clean_text,
    refusing,
    source,
)
from labelling.core.sources.csv import csv_lines
from labelling.core.sources.manifest import manifest_bytes

KIND = "labels"
NAMES = ("image", "file", "name", "item")
DIGESTS = ("sha256", "digest")
FIELDS = "'image' (or 'sha256') and 'label'"


@source(KIND)
@contextmanager
def open_labels(origin: Origin) -> Iterator[Source]:
    """An entry a row: its `metadata` says `sha256`, `question` and `label`, its name is the image's.

    Raises SourceUnreadable for a file that is no such table; a bad row is refused by itself.
    """
    if origin.stream is not None:
        data = manifest_bytes(origin.stream, "The file")
    elif origin.path is not None and origin.path.is_file():
        with origin.path.open("rb") as file:
            data = manifest_bytes(file, origin.path.name)
    else:
        raise SourceUnreadable(f"There is no file {origin.path or ''} on this machine.")
    rows = list(_json_lines(data) if data.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"{" else _csv(data))
    if not rows:
        raise SourceUnreadable("The file has a header and no rows.")
    yield Source(total=len(rows), entries=lambda start: iter(rows[start:]))


def _csv(data: bytes) -> Iterator[Entry]:
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SourceUnreadable(f"Line {line} of the file is not UTF-8 text: save it as UTF-8.") from None
    header: list[str] = []
    for line, values in csv_lines(text):
        if isinstance(values, csv.Error):
            if not header:
                raise SourceUnreadable(f"The first line is no header of a CSV file ({values}).")
            yield _refused(line, f"Line {line} is not CSV: {values}.")
            continue
        if not any(value.strip() for value in values):
            continue
        if not header:
            header = _header(values)
        elif len(values) != len(header):
            sentence = f"Line {line} has {len(values)} values where the header has {len(header)}."
            yield _refused(line, sentence)
        else:
            yield _entry(line, dict(zip(header, values, strict=True)))


def _header(values: list[str]) -> list[str]:
    header = [value.strip().casefold() for value in values]
    if "label" not in header or not set(header) & {*NAMES, *DIGESTS}:
        shown = ", ".join(clean_text(value, 40) for value in values[:10])
        raise SourceUnreadable(f"The first line must name the columns {FIELDS}; it says: {shown}.")
    if len(set(header)) < len(header):
        raise SourceUnreadable("The first line names a column twice.")
    return header


def _json_lines(data: bytes) -> Iterator[Entry]:
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line.decode())
        except UnicodeDecodeError:
            yield _refused(number, f"Line {number} is not UTF-8 text: save the file as UTF-8.")
        except (ValueError, RecursionError) as error:
            yield _refused(number, f"Line {number} is not JSON ({str(error)[:100]}).")
        else:
            if isinstance(record, dict):
                yield _entry(number, record)
            else:
                yield _refused(number, f"Line {number} is not a JSON object with {FIELDS}.")


def _entry(line: int, record: Mapping[str, object]) -> Entry:
    name, digest = _first(record, NAMES), _first(record, DIGESTS).casefold()
    label = _first(record, ("label",))
    said: dict[str, Any] = {"sha256": digest, "question": _first(record, ("question",)), "label": label}
    sentence = ""
    if not name and not digest:
        sentence = f"Line {line} names no image: give its name or its SHA-256."
    elif not label:
        sentence = f"Line {line} gives no label."
    read = refusing(sentence) if sentence else lambda: b""
    return Entry(row=line, name=clean_text(name or digest), read=read, metadata=said)


def _first(record: Mapping[str, object], keys: tuple[str, ...]) -> str:
    """The first of these fields that says something, as text; a label may be a number in JSON."""
    for key in keys:
        value = record.get(key)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return clean_text(str(value).strip())
    return ""


def _refused(line: int, sentence: str) -> Entry:
    return Entry(row=line, name="", read=refusing(sentence))
