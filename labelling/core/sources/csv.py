import csv
import io
from collections.abc import Iterator
from contextlib import AbstractContextManager

from labelling.core.sources.base import (
    FILE_KEY,
    EntryRefused,
    Origin,
    Source,
    SourceUnreadable,
    clean_metadata,
    clean_text,
    source,
)
from labelling.core.sources.manifest import Row, open_manifest


@source("csv", suffixes=(".csv",))
def open_csv(origin: Origin) -> AbstractContextManager[Source]:
    """A column `file`; the other columns become metadata."""
    return open_manifest(origin, read_rows)


def read_rows(data: bytes, name: str) -> list[Row]:
    """Raises SourceUnreadable when the header is of no use; a bad row is refused by itself."""
    # Undecodable bytes stay in place as surrogates, so that only their own rows are refused.
    text = data.decode("utf-8-sig", "surrogateescape")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = data.decode("utf-16", "replace")
    lines = csv_lines(text)
    _, first = next(lines, (1, csv.Error("it is empty")))
    header = _header(first, name)
    rows: list[Row] = []
    for line, values in lines:
        if isinstance(values, csv.Error):
            rows.append(Row(line=line, refusal=f"Line {line} of {name}: {values}."))
        elif values:
            rows.append(_row(header, values, line, name))
    if not rows:
        raise SourceUnreadable(f"{name} has a header and no rows.")
    return rows


def csv_lines(text: str) -> Iterator[tuple[int, list[str] | csv.Error]]:
    """The number of each line with its values, or why it has none."""
    reader = csv.reader(io.StringIO(text, newline=""))
    while True:
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, error
        else:
            yield reader.line_num, values


def _header(values: list[str] | csv.Error, name: str) -> list[str]:
    if isinstance(values, csv.Error):
        raise SourceUnreadable(f"The first line of {name} is no header of a CSV file ({values}).")
    header = [column.strip() for column in values]
    shown = ", ".join(clean_text(column, 40) for column in header[:10])
    if FILE_KEY not in header:
        raise SourceUnreadable(f"{name} has no column '{FILE_KEY}'; its columns are: {shown}.")
    if len(set(header)) < len(header):
        raise SourceUnreadable(f"{name} names a column twice: {shown}.")
    return header


def _row(header: list[str], values: list[str], line: int, name: str) -> Row:
    here = f"Line {line} of {name}"
    if not _is_text("".join(values)):
        return Row(line=line, refusal=f"{here} is not UTF-8 text: save the file as UTF-8.")
    record = dict(zip(header, values, strict=False))
    file = record.pop(FILE_KEY, "").strip()
    if len(values) != len(header):
        return Row(
            line=line,
            file=file,
            refusal=f"{here} has {len(values)} values where the header names {len(header)} columns.",
        )
    if not file:
        return Row(line=line, refusal=f"{here} has nothing in its column '{FILE_KEY}'.")
    try:
        return Row(line=line, file=file, metadata=clean_metadata(record))
    except EntryRefused as refusal:
        return Row(line=line, file=file, refusal=f"{here}: {refusal}")


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
