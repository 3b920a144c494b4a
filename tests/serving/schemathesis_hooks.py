"""What schemathesis cannot make up by itself: images. Its command line loads this file."""

import base64
import io

import schemathesis
from hypothesis import strategies as st
from PIL import Image


def _file(kind: str) -> st.SearchStrategy[bytes]:
    def made(size: tuple[int, int], colour: tuple[int, int, int]) -> bytes:
        out = io.BytesIO()
        Image.new("RGB", size, colour).save(out, kind)
        return out.getvalue()

    side, tone = st.integers(1, 40), st.integers(0, 255)
    return st.builds(made, st.tuples(side, side), st.tuples(tone, tone, tone))


for content_type, kind in {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/webp": "WEBP",
    "application/octet-stream": "PNG",
}.items():
    schemathesis.openapi.media_type(content_type, _file(kind))
schemathesis.openapi.format("binary", _file("PNG"))
schemathesis.openapi.format("byte", _file("PNG").map(lambda data: base64.b64encode(data).decode()))
