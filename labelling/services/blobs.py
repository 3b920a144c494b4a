"""Writing files to the storage whole or not at all, even when killed."""

import errno
import os
import uuid
from contextlib import suppress

from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage


def blob_put(*, path: str, data: bytes, durable: bool = False) -> None:
    """Keep `data` at a path that always means these bytes; nothing is done when they are there.

    A file that a crash of some storage cut off has another size, and is written again. `durable`: as in
    `file_write`.
    """
    with suppress(FileNotFoundError):
        if default_storage.size(path) == len(data):
            return
    file_write(path=path, data=data, durable=durable)


def local_path(path: str) -> str | None:
    """Where the storage's file lies on this machine; None in an object store, which has no paths."""
    try:
        return default_storage.path(path)
    except NotImplementedError:  # Django's word for a storage without local files
        return None


def file_write(*, path: str, data: bytes, durable: bool) -> None:
    """Write a storage file so that readers see the old content or the new one, never a part.

    `durable`: it survives a power failure too, which costs a wait for the disk: not for the many files of an
    import, which is done again.
    """
    local = local_path(path)
    if local is None:
        # An object store shows an object once it is complete.
        default_storage.save(path, ContentFile(data))
        return
    unfinished = f"{local}.{uuid.uuid4().hex}.part"
    try:
        try:
            _write(unfinished, data, durable)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(local), exist_ok=True)
            _write(unfinished, data, durable)
        os.replace(unfinished, local)
    except BaseException:
        # The disk is full, most likely: leave nothing behind.
        with suppress(FileNotFoundError):
            os.unlink(unfinished)
        raise


def storage_fault(error: Exception) -> str:
    """What went wrong, for people; a full disk in their words."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full: free some space"
    if isinstance(error, ValidationError):
        return " ".join(error.messages)
    return str(error) or type(error).__name__


def _write(path: str, data: bytes, durable: bool) -> None:
    with open(path, "wb", buffering=0) as file:
        written = 0
        while written < len(data):
            written += file.write(data[written:])
        if durable:
            os.fsync(file.fileno())
