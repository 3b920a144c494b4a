"""Static files as they are served: under names that hold their digests, and compressed."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import brotli
from whitenoise.compress import Compressor
from whitenoise.storage import CompressedManifestStaticFilesStorage

SMALL = 50_000  # bytes
QUALITY = 9  # of brotli's 0..11: plotly.js and Swagger in 0.6 s rather than 14, and 11% larger


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
        compressor = Compressor(**options)
        compressor.compress_brotli = partial(brotli.compress, quality=QUALITY)
        return compressor
