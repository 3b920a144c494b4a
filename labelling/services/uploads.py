"""Files that a person sent from a page: kept in storage as one zip, from which a worker imports."""

import tempfile
import uuid
import zipfile
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import IO

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile

from labelling.core.sources.base import clean_text
from labelling.core.sources.manifest import MAX_MANIFEST_BYTES
from labelling.models import ImportJob, Project, User
from labelling.services.imports import import_create

_MANIFESTS = (".csv", ".jsonl")
_TABLES = (".csv", ".jsonl", ".ndjson")


class UploadRefused(ValueError):
    """Why nothing of an upload is taken, in one sentence."""


def upload_limit() -> str:
    return f"{settings.MAX_UPLOAD_BYTES / 1024**2:,.0f} MB"


def upload_create(*, project: Project, files: Sequence["UploadedFile[bytes]"], user: User) -> ImportJob:
    """Store a zip as it came, or images (with at most one manifest) as a zip, and queue its import.

    Raises UploadRefused.
    """
    _check(files)
    first = files[0]
    source = f"uploads/{uuid.uuid4().hex}.zip"
    name = first.name or "upload"
    if _suffix(first) == ".zip":
        default_storage.save(source, first)
    else:
        with tempfile.TemporaryFile() as packed:
            _pack(files, packed)
            packed.seek(0)
            default_storage.save(source, File(packed))
        if len(files) > 1:
            name = f"{len(files)} files, {name} first"
    return import_create(project=project, kind="zip", source=source, name=name, uploaded=True, user=user)


def labels_upload_create(*, project: Project, file: "UploadedFile[bytes]", user: User) -> ImportJob:
    """Store a table of labels as it came, and queue its import. Raises UploadRefused."""
    if (file.size or 0) > MAX_MANIFEST_BYTES:
        raise UploadRefused(f"The table is larger than {MAX_MANIFEST_BYTES // 1024**2} MB: send it in parts.")
    if _suffix(file) not in _TABLES:
        raise UploadRefused("Labels come as a .csv or .jsonl file, as the export writes them.")
    source = f"uploads/{uuid.uuid4().hex}{_suffix(file)}"
    default_storage.save(source, file)
    return import_create(
        project=project,
        kind=ImportJob.Kind.LABELS,
        source=source,
        name=file.name or "labels",
        uploaded=True,
        user=user,
    )


def _check(files: Sequence["UploadedFile[bytes]"]) -> None:
    if not files:
        raise UploadRefused("No file was chosen: choose a zip or some images.")
    if sum(file.size or 0 for file in files) > settings.MAX_UPLOAD_BYTES:
        raise UploadRefused(f"Together the files are larger than {upload_limit()}: send them in parts.")
    suffixes = [_suffix(file) for file in files]
    if ".zip" in suffixes and len(files) > 1:
        raise UploadRefused("A zip comes alone: send the zips one by one, or only images.")
    manifests = [suffix for suffix in suffixes if suffix in _MANIFESTS]
    if len(manifests) > 1:
        raise UploadRefused("There is more than one manifest among the files: send one with its images.")
    if manifests and len(files) == 1:
        raise UploadRefused(
            "A manifest alone brings no images: choose the images with it, or send a zip that has them and "
            f"the manifest, as manifest{manifests[0]}, at its top."
        )


def _pack(files: Sequence["UploadedFile[bytes]"], packed: IO[bytes]) -> None:
    """Names are captions only: of two that are alike one gets a number, the manifest gets its own."""
    taken: set[str] = set()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for number, file in enumerate(files, 1):
            suffix = _suffix(file)
            name = clean_text(PurePosixPath((file.name or "").replace("\\", "/")).name).lstrip(".") or "file"
            if suffix in _MANIFESTS:
                name = f"manifest{suffix}"
            if name in taken:
                name = f"{number} {name}"
            taken.add(name)
            with archive.open(name, "w", force_zip64=True) as entry:
                for chunk in file.chunks():
                    entry.write(chunk)


def _suffix(file: "UploadedFile[bytes]") -> str:
    return PurePosixPath(file.name or "").suffix.lower()
