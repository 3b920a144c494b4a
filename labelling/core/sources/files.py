"""Reading files below a folder, and never one outside it."""

import errno
import os
import stat
from pathlib import Path

from labelling.core.images import MAX_BYTES
from labelling.core.sources.base import EntryRefused


def read_below(root: Path, relative: str) -> bytes:
    """The bytes of `root/relative`. `root` is resolved. Raises EntryRefused."""
    if not relative or "\0" in relative:
        raise EntryRefused("It names no file.")
    try:
        path = (root / relative).resolve()
        if not path.is_relative_to(root):
            raise EntryRefused("It leads out of the folder that is imported.")
        # Opening a pipe would wait for its other end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except (OSError, RuntimeError) as error:
        raise EntryRefused(_sentence(error)) from None
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise EntryRefused("It is not an ordinary file.")
        try:
            data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise EntryRefused(_sentence(error)) from None
    if len(data) > MAX_BYTES:
        raise EntryRefused(f"The file is larger than {MAX_BYTES // 1024**2} MB.")
    return data


def _sentence(error: OSError | RuntimeError) -> str:
    if isinstance(error, FileNotFoundError):
        return "There is no such file."
    if isinstance(error, PermissionError):
        return "The server may not read this file: change its permissions."
    # Before Python 3.13, resolving a ring of links is a RuntimeError.
    if isinstance(error, RuntimeError) or error.errno == errno.ELOOP:
        return "It is a link that leads nowhere."
    return f"It cannot be read ({error.strerror})."
