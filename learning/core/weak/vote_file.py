"""A CSV file of votes: which label somebody or something else gave to which image."""

import csv
import io
from collections.abc import Mapping, Sequence

MOST_BYTES = 32 * 1024 * 1024
MOST_ROWS = 500_000
HEADERS = ("item", "file", "name", "image", "digest")


def read_votes(data: bytes, labels: Sequence[str]) -> dict[str, str]:
    """{image's name or digest: label} from rows `image,label`, with or without a header.

    Raises ValueError, with one sentence that names the row, for anything that is not this.
    """
    if len(data) > MOST_BYTES:
        raise ValueError(f"The table is larger than {MOST_BYTES // 1024**2} MB: split it into several rules.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("The table is not UTF-8 text: save the file as CSV in UTF-8.") from None
    known = set(labels)
    found: dict[str, str] = {}
    first: dict[str, int] = {}
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        for values in reader:
            row = reader.line_num
            if not any(value.strip() for value in values):
                continue
            if len(values) != 2:
                raise ValueError(f"Row {row} of the table has {len(values)} values; write image,label.")
            item, label = values[0].strip(), values[1].strip()
            if (
                not found
                and label not in known
                and label.casefold() == "label"
                and item.casefold() in HEADERS
            ):
                continue
            vote_checked(item, label, known, labels, f"Row {row} of the table")
            if found.setdefault(item, label) != label:
                before = f"row {first[item]} says {found[item]}"
                raise ValueError(f"Row {row} of the table says {label} of '{item}', but {before}.")
            first.setdefault(item, row)
    except csv.Error as error:
        raise ValueError(f"Row {reader.line_num} of the table is not CSV: {error}.") from None
    return votes_checked(found, labels)


def votes_checked(table: Mapping[str, str], labels: Sequence[str]) -> dict[str, str]:
    """The table, if its size and every vote is one that can be kept. Raises ValueError with one sentence."""
    if not table:
        raise ValueError("The table has no rows; write one image,label a line.")
    if len(table) > MOST_ROWS:
        raise ValueError(f"The table has {len(table):,} rows; at most {MOST_ROWS:,} are taken.")
    known = set(labels)
    for number, (item, label) in enumerate(table.items(), 1):
        vote_checked(item, label, known, labels, f"Entry {number} of the table")
    return dict(table)


def vote_checked(item: str, label: str, known: set[str], labels: Sequence[str], where: str) -> None:
    if not item:
        raise ValueError(f"{where} names no image; write its name or digest, then its label.")
    if label not in known:
        shown = ", ".join(labels[:12]) + (", ..." if len(labels) > 12 else "")
        raise ValueError(f"{where}: there is no label '{label[:60]}' for '{item[:60]}'; there are: {shown}.")
