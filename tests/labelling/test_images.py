"""What strangers may send as an image."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from labelling.core import images
from labelling.core.images import ImageRefused, inspect, open_rgb
from tests.factories import png


def encoded(image: Image.Image, image_format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, image_format, **options)
    return out.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))


def png_that_claims(width: int, height: int) -> bytes:
    header = chunk(b"IHDR", struct.pack(">LLBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("image_format", images.FORMATS)
def test_it_takes_each_format_of_the_list(image_format: str) -> None:
    info = inspect(encoded(Image.new("RGB", (20, 10), "red"), image_format))
    assert (info.format, info.width, info.height) == (image_format, 20, 10)


@pytest.mark.parametrize("image_format", ["GIF", "BMP", "TIFF", "PPM"])
def test_it_refuses_every_other_format(image_format: str) -> None:
    with pytest.raises(ImageRefused, match="not a JPEG, PNG or WebP"):
        inspect(encoded(Image.new("RGB", (20, 10)), image_format))


@pytest.mark.parametrize(
    "data", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<html>", b"\0" * 100, b"RIFF"]
)
def test_it_refuses_what_is_no_image(data: bytes) -> None:
    with pytest.raises(ImageRefused, match="not a JPEG, PNG or WebP"):
        inspect(data)


@pytest.mark.parametrize(
    ("width", "height"), [(25_000_001, 1), (5001, 5000), (12_000, 12_000), (60_000, 60_000)]
)
def test_it_refuses_a_header_of_too_many_pixels_before_decoding(width: int, height: int) -> None:
    with pytest.raises(ImageRefused, match="larger than 25 megapixels"):
        inspect(png_that_claims(width, height))


def test_it_reads_the_canvas_of_a_webp_before_the_decoder_makes_it() -> None:
    for options in ({}, {"lossless": True}, {"save_all": True, "append_images": [Image.new("RGB", (9, 7))]}):
        good = encoded(Image.new("RGB", (9, 7), "blue"), "WEBP", **options)
        assert images._webp_size(good) == (9, 7)
    huge = bytearray(
        encoded(
            Image.new("RGBA", (9, 7), (0, 0, 0, 9)),
            "WEBP",
            save_all=True,
            append_images=[Image.new("RGBA", (9, 7))],
        )
    )
    assert huge[12:16] == b"VP8X"
    huge[24:30] = b"\xff\x3f\x00\xff\x3f\x00"
    with pytest.raises(ImageRefused, match="16,384 x 16,384"):
        inspect(bytes(huge))


def test_it_refuses_a_file_that_was_cut_off() -> None:
    for image_format in images.FORMATS:
        noise = Image.open(io.BytesIO(png(1, size=64)))
        whole = encoded(noise, image_format)
        for share in (0.3, 0.6, 0.9):
            with pytest.raises(ImageRefused):
                inspect(whole[: int(len(whole) * share)])


def test_it_refuses_empty_and_oversized_files(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImageRefused, match="empty"):
        inspect(b"")
    monkeypatch.setattr(images, "MAX_BYTES", 1024**2)
    with pytest.raises(ImageRefused, match="larger than 1 MB"):
        inspect(png(1) + b"\0" * 1024**2)


@given(st.data())
def test_damaged_bytes_are_refused_with_a_sentence_or_taken_but_never_crash(data: st.DataObject) -> None:
    whole = bytearray(encoded(Image.open(io.BytesIO(png(1))), data.draw(st.sampled_from(images.FORMATS))))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        outcome = open_rgb(bytes(whole)).mode
    except ImageRefused as refusal:
        outcome = str(refusal)
    assert outcome == "RGB" or outcome.endswith(".")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_shows_an_image_as_its_exif_orientation_says(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 0] = 255  # the stored top left corner
    data = encoded(Image.fromarray(pixels), "PNG", exif=exif)
    shown = np.asarray(open_rgb(data))
    # Where EXIF 2.3 says that row 0 and column 0 of the file are seen.
    corner = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}
    assert (shown[corner[orientation]] == 255).all()
    info = inspect(data)
    assert (info.height, info.width) == shown.shape[:2] == ((3, 2) if orientation >= 5 else (2, 3))


def test_every_mode_becomes_rgb_as_it_looks() -> None:
    sixteen_bits = encoded(Image.fromarray(np.full((3, 5), 32_896, np.uint16)), "PNG")
    assert open_rgb(sixteen_bits).getpixel((0, 0)) == (128, 128, 128)
    glass = encoded(Image.new("RGBA", (5, 3), (0, 0, 0, 0)), "PNG")
    assert open_rgb(glass).getpixel((0, 0)) == (255, 255, 255)
    palette = Image.new("P", (5, 3), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    assert open_rgb(encoded(palette, "PNG")).getpixel((0, 0)) == (10, 20, 30)
    assert open_rgb(encoded(palette, "PNG", transparency=1)).getpixel((0, 0)) == (255, 255, 255)
    for mode in ("L", "1"):
        assert open_rgb(encoded(Image.new(mode, (5, 3), 1), "PNG")).mode == "RGB"
    assert open_rgb(encoded(Image.new("CMYK", (5, 3)), "JPEG")).getpixel((0, 0)) == (255, 255, 255)
