"""Zip files. Nothing is unpacked to disk: an entry's name is a caption, never a place to write to."""

import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import PurePosixPath
from typing import BinaryIO, cast

from labelling.core.images import MAX_BYTES
from labelling.core.sources import csv, jsonl
from labelling.core.sources.base import (
    Entry,
    EntryRefused,
    Origin,
    Source,
    SourceUnreadable,
    clean_text,
    source,
)
from labelling.core.sources.manifest import MAX_MANIFEST_BYTES, Row, RowReader, manifest_bytes

MAX_TOTAL_BYTES = 64 * 1024**3
MAX_RATIO = 200
# Below this, a good ratio is just an empty picture.
RATIO_MATTERS_FROM = 1024**2
# About a million names.
MAX_DIRECTORY_BYTES = 64 * 1024**2

_MANIFESTS: dict[str, RowReader] = {"manifest.csv": csv.read_rows, "manifest.jsonl": jsonl.read_rows}
_CHUNK = 1024**2
_END_RECORD = 22
_ZIP64_LOCATOR = 20
# RuntimeError is, among others, what zipfile raises for a kind of compression that it does not know.
_DAMAGES = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, RuntimeError)


@source("zip", suffixes=(".zip",))
@contextmanager
def open_zip(origin: Origin) -> Iterator[Source]:
    """The files in the zip's order; with a manifest at its top, those it names first, in its order."""
    with ExitStack() as closing:
        file = origin.stream
        if file is None:
            if origin.path is None or not origin.path.is_file():
                raise SourceUnreadable(f"There is no file {origin.path or ''} on this machine.")
            file = closing.enter_context(origin.path.open("rb"))
        try:
            _check_directory(file)
            archive = closing.enter_context(zipfile.ZipFile(file))
        except _DAMAGES as error:
            raise SourceUnreadable(f"This is not a zip file that can be read ({error}).") from None
        yield _source(archive)


def _source(archive: zipfile.ZipFile) -> Source:
    infos = [info for info in archive.infolist() if not info.is_dir() and not _hidden(info.filename)]
    total = sum(info.file_size for info in infos)
    if total > MAX_TOTAL_BYTES:
        raise SourceUnreadable(
            f"It unpacks to {total / 1024**3:,.0f} GB; at most {MAX_TOTAL_BYTES // 1024**3} GB are taken."
        )
    manifests = [info for info in infos if info.filename in _MANIFESTS]
    if len(manifests) > 1:
        raise SourceUnreadable("The zip has more than one manifest at its top: keep one.")
    if not manifests:
        if not infos:
            raise SourceUnreadable("The zip holds no files.")
        return Source(total=len(infos), entries=partial(_entries, archive, infos))
    return _listed(archive, infos, manifests[0])


def _entries(archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo], start: int) -> Iterator[Entry]:
    for row, info in enumerate(infos[start:], start + 1):
        yield Entry(row=row, name=clean_text(info.filename), read=partial(_read, archive, info))


def _listed(archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo], manifest: zipfile.ZipInfo) -> Source:
    try:
        _check(manifest, limit=MAX_MANIFEST_BYTES)
        with archive.open(manifest) as file:
            data = manifest_bytes(cast(BinaryIO, file), manifest.filename)
    except EntryRefused as refusal:
        raise SourceUnreadable(f"{manifest.filename} in the zip: {refusal}") from None
    except (*_DAMAGES, OSError) as error:
        raise SourceUnreadable(f"{manifest.filename} in the zip is damaged ({error}).") from None
    rows = _MANIFESTS[manifest.filename](data, manifest.filename)
    by_name = {info.filename: info for info in infos if info is not manifest}
    named = {_normal(row.file) for row in rows}
    rest = [info for name, info in by_name.items() if name not in named]

    def entries(start: int) -> Iterator[Entry]:
        for place, row in enumerate(rows[start:], start + 1):
            read = partial(_read_listed, archive, by_name.get(_normal(row.file)), row, manifest.filename)
            yield Entry(row=place, name=clean_text(row.file), read=read, metadata=row.metadata)
        done = max(0, start - len(rows))
        for place, info in enumerate(rest[done:], len(rows) + done + 1):
            yield Entry(row=place, name=clean_text(info.filename), read=partial(_read, archive, info))

    return Source(total=len(rows) + len(rest), entries=entries)


def _read_listed(archive: zipfile.ZipFile, info: zipfile.ZipInfo | None, row: Row, manifest: str) -> bytes:
    if row.refusal:
        raise EntryRefused(row.refusal)
    if info is None:
        raise EntryRefused(f"Line {row.line} of {manifest} names a file that is not in the zip.")
    return _read(archive, info)


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    _check(info, limit=MAX_BYTES)
    # The directory's sizes are claims. zipfile stops at the claimed size and then compares the checksum, and
    # this loop stops at the limit whatever was claimed.
    data = bytearray()
    try:
        with archive.open(info) as file:
            while chunk := file.read(_CHUNK):
                data += chunk
                if len(data) > MAX_BYTES:
                    raise EntryRefused("It unpacks to more than the zip says.")
    except EntryRefused:
        raise
    except _DAMAGES as error:
        raise EntryRefused(f"It cannot be unpacked ({str(error)[:200] or type(error).__name__}).") from None
    except OSError as error:
        if error.errno is not None:  # the storage's trouble; bz2 says so, without a number, of damaged data
            raise
        raise EntryRefused(f"It cannot be unpacked ({error}).") from None
    return bytes(data)


def _check(info: zipfile.ZipInfo, *, limit: int) -> None:
    """Refuse by what the directory says, before anything is unpacked."""
    if info.flag_bits & 0x1:
        raise EntryRefused("It is encrypted: make a zip without a password.")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise EntryRefused("It is a link, not a file.")
    path = PurePosixPath(info.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in "".join(path.parts[:1]):
        raise EntryRefused("Its name leads out of the zip.")
    if info.file_size > limit:
        raise EntryRefused(f"The file is larger than {limit // 1024**2} MB.")
    if info.file_size > RATIO_MATTERS_FROM and info.file_size > MAX_RATIO * max(1, info.compress_size):
        raise EntryRefused(f"It is packed more than {MAX_RATIO} to 1, as no image is.")


def _hidden(name: str) -> bool:
    """What systems add by themselves (.DS_Store, __MACOSX) and what a folder import passes over too."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in (".", "..")]
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _normal(file: str) -> str:
    return str(PurePosixPath(file.strip()))


def _check_directory(file: BinaryIO) -> None:
    """zipfile reads the whole directory of names at once: refuse one that would fill the memory.

    Its size stands in the end record, the last in the file but for a comment (APPNOTE 4.3.14 to 4.3.16).
    """
    length = file.seek(0, os.SEEK_END)
    start = file.seek(max(0, length - _END_RECORD - 0xFFFF - _ZIP64_LOCATOR))
    tail = file.read()
    end = tail.rfind(b"PK\5\6")
    if end < 0 or len(tail) - end < _END_RECORD:
        raise zipfile.BadZipFile("it has no directory: was it cut off?")
    (size,) = struct.unpack_from("<L", tail, end + 12)
    locator = end - _ZIP64_LOCATOR
    if locator >= 0 and tail[locator : locator + 4] == b"PK\6\7":
        (place,) = struct.unpack_from("<Q", tail, locator + 8)
        file.seek(min(place, start + locator))
        record = file.read(56)
        if len(record) == 56:
            (size,) = struct.unpack_from("<Q", record, 40)
    if size > MAX_DIRECTORY_BYTES:
        raise SourceUnreadable("The zip holds too many files: split it into zips of less than a million.")
