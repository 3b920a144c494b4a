"""Rows as a file, piece by piece: CSV for spreadsheets, JSON lines for programs."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

PIECE = 500  # rows that are sent at a time
Rows = Iterable[Mapping[str, Any]]


def as_csv(rows: Rows) -> Iterator[str]:
    """A header, then a line a row. What is itself a table (metadata) is written as JSON, what is missing as
    nothing. Without a row there is no header either.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    for number, row in enumerate(rows):
        if number == 0:
            writer.writerow(row)
        writer.writerow(_cell(value) for value in row.values())
        if number % PIECE == PIECE - 1:
            yield _taken(out)
    yield _taken(out)


def as_json_lines(rows: Rows) -> Iterator[str]:
    """An object a line."""
    out = io.StringIO()
    for number, row in enumerate(rows):
        out.write(json.dumps(dict(row), ensure_ascii=False) + "\n")
        if number % PIECE == PIECE - 1:
            yield _taken(out)
    yield _taken(out)


FORMS: dict[str, tuple[str, Callable[[Rows], Iterator[str]]]] = {
    "csv": ("text/csv; charset=utf-8", as_csv),
    "jsonl": ("application/jsonl; charset=utf-8", as_json_lines),
}


def _cell(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _taken(out: io.StringIO) -> str:
    text = out.getvalue()
    out.seek(0)
    out.truncate()
    return text
