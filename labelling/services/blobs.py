"""Writing many small files under names that their content decides."""

import os
import uuid
from contextlib import suppress

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage


def blob_put(*, path: str, data: bytes) -> None:
    """Keep `data` at a path that always means these bytes; nothing is done when they are there.

    A folder on this machine is written directly: whole or not at all, even when killed, and at a fifth
    of the storage's own cost. Elsewhere a file that was cut off has another size, and is written again.
    """
    try:
        local = default_storage.path(path)
    except NotImplementedError:
        _put_remote(path, data)
    else:
        _put_local(local, data)


def _put_local(path: str, data: bytes) -> None:
    try:
        if os.stat(path).st_size == len(data):
            return
    except FileNotFoundError:
        pass
    unfinished = f"{path}.{uuid.uuid4().hex}.part"
    try:
        try:
            _write(unfinished, data)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            _write(unfinished, data)
        os.replace(unfinished, path)
    except OSError:
        # The disk is full, most likely: leave nothing behind.
        with suppress(FileNotFoundError):
            os.unlink(unfinished)
        raise


def _write(path: str, data: bytes) -> None:
    with open(path, "wb", buffering=0) as file:
        written = 0
        while written < len(data):
            written += file.write(data[written:])


def _put_remote(path: str, data: bytes) -> None:
    try:
        if default_storage.size(path) == len(data):
            return
    except FileNotFoundError:
        pass
    default_storage.save(path, ContentFile(data))
