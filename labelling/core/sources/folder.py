import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from labelling.core.sources.base import Entry, Origin, Source, SourceUnreadable, clean_text, refusing, source
from labelling.core.sources.files import read_below


@source("folder")
@contextmanager
def open_folder(origin: Origin) -> Iterator[Source]:
    """Every file below the folder, sorted by path; hidden files and folders are passed over."""
    if origin.path is None or not origin.path.is_dir():
        raise SourceUnreadable(f"There is no folder {origin.path or ''} on this machine.")
    root = origin.path.resolve()
    names = sorted(_names(root))
    if not names:
        raise SourceUnreadable(f"The folder {origin.path} holds no files.")

    def entries(start: int) -> Iterator[Entry]:
        read: Callable[[], bytes]
        for row, name in enumerate(names[start:], start + 1):
            if os.path.isdir(root / name):
                read = refusing("It is a link to a folder; these are not followed.")
            else:
                read = partial(read_below, root, name)
            yield Entry(row=row, name=clean_text(name), read=read)

    yield Source(total=len(names), entries=entries)


def _names(root: Path) -> Iterator[str]:
    """Paths relative to `root`: files, and links to folders (which are refused by name, not passed over)."""

    def unreadable(error: OSError) -> None:
        raise SourceUnreadable(f"The folder {error.filename} cannot be read ({error.strerror}).")

    for folder, folders, files in os.walk(root, onerror=unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in (*links, *files):
            if not name.startswith("."):
                yield os.path.relpath(os.path.join(folder, name), root)
