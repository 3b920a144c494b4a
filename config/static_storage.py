"""Static files as they are served: under names that hold their digests, and compressed."""

from collections.abc import Iterable, Iterator
from typing import Any

from whitenoise.compress import Compressor
from whitenoise.storage import CompressedManifestStaticFilesStorage

SMALL = 50_000  # bytes


class StaticStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # it ships no types
    """To compress takes a processor most of a first start. What is not: what only a debugger reads, and large
    files under their plain names, by which modules import small ones alone.
    """

    def compress_files(self, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
        hashed = set(self.hashed_files.values())
        yield from super().compress_files(
            {path for path in paths if path in hashed or self.size(path) < SMALL}
        )

    def create_compressor(self, **options: Any) -> Compressor:
        options["extensions"] = (*Compressor.SKIP_COMPRESS_EXTENSIONS, "map")
        return Compressor(**options)
