"""Artifacts as files of this machine, to be read in parts: the storage's own, or copies if it is remote."""

import hashlib
import os
import uuid
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from labelling.services.blobs import local_path
from learning.services.artifacts import ArtifactDamaged, artifact_get, artifact_name

# Digests this process has checked: hashing takes longer than reading a few rows.
_checked: set[Path] = set()


def artifact_file(*, digest: str, suffix: str) -> Path:
    """The file with the artifact's bytes, checked against its digest when the process first asks for it.

    Raises FileNotFoundError if there is none, ArtifactDamaged if it no longer holds the same bytes.
    """
    name = artifact_name(digest=digest, suffix=suffix)
    local = local_path(name)
    if local is None:
        # An object store's objects are copied here.
        return _copy(digest, suffix)
    path = Path(local)
    if path not in _checked:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != digest:
            raise ArtifactDamaged(f"{name} is damaged: its SHA-256 is {found}. Restore it from a backup.")
        _checked.add(path)
    return path


def _copy(digest: str, suffix: str) -> Path:
    """The copy in the cache folder, which is fetched, and checked, when it is not there."""
    path = Path(settings.CACHE_DIR) / f"{digest}{suffix}"
    with suppress(FileNotFoundError):
        os.utime(path)  # it was used just now
        return path
    data = artifact_get(digest=digest, suffix=suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    _make_room(path.parent, settings.CACHE_BYTES - len(data))
    unfinished = path.with_suffix(f".{uuid.uuid4().hex}.part")
    try:
        unfinished.write_bytes(data)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _make_room(folder: Path, most: int) -> None:
    """Remove the files that were not used for longest, until the others have at most so many bytes.

    Who has one open keeps it; who was about to open it fails, and is tried again.
    """
    files = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            files.append((path.stat().st_mtime, path.stat().st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= most:
            return
        path.unlink(missing_ok=True)
        total -= size
