"""Images from strangers: what is taken, how large it may be, and how it becomes RGB pixels."""

import io
import struct
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS = 25_000_000
MAX_BYTES = 32 * 1024 * 1024

_ORIENTATION = 0x0112
_AS_SHOWN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageRefused(ValueError):
    """Why these bytes are not taken as an image, in one sentence."""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """`width` and `height` are as the image is shown, after its EXIF orientation."""

    format: str
    width: int
    height: int


def inspect(data: bytes) -> ImageInfo:
    """Check the header, then really decode. Raises ImageRefused."""
    image = _decoded(data)
    width, height = image.size
    if _orientation(image) >= 5:
        width, height = height, width
    return ImageInfo(format=image.format or "", width=width, height=height)


def open_rgb(data: bytes) -> Image.Image:
    """The image as it is shown: turned by its EXIF orientation, RGB, transparency over white.

    Raises ImageRefused.
    """
    image = _decoded(data)
    transpose = _AS_SHOWN.get(_orientation(image))
    if image.mode.startswith("I"):
        # 16 bits a pixel: convert("RGB") would clip everything above 255 to white.
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    rgb = image.convert("RGB")
    return rgb.transpose(transpose) if transpose is not None else rgb


def _decoded(data: bytes) -> Image.Image:
    if not data:
        raise ImageRefused("The file is empty.")
    if len(data) > MAX_BYTES:
        raise ImageRefused(f"The file is larger than {MAX_BYTES // 1024**2} MB.")
    if data[:4] == b"RIFF":
        # Pillow's WebP decoder sets up its canvas while opening, so that header is read here first.
        _check_pixels(*_webp_size(data))
    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels("") from None
    except UnidentifiedImageError:
        raise ImageRefused("The file is not a JPEG, PNG or WebP image.") from None
    except Exception as error:  # a decoder fed with hostile bytes raises whatever it comes upon
        raise ImageRefused(f"The image's header cannot be read ({_cause(error)}).") from None
    _check_pixels(*image.size)
    try:
        image.load()
    except Exception as error:  # as above
        raise ImageRefused(f"The image is damaged or cut off ({_cause(error)}).") from None
    return image


def _check_pixels(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise _too_many_pixels(f" of {width:,} x {height:,} pixels")


def _too_many_pixels(size: str) -> ImageRefused:
    return ImageRefused(f"The image{size} is larger than {MAX_PIXELS // 10**6} megapixels.")


def _webp_size(data: bytes) -> tuple[int, int]:
    """The canvas of a WebP file (RFC 9649), (0, 0) where there is none: Pillow then says what is wrong."""
    chunk, body = data[12:16], data[20:30]
    if data[8:12] != b"WEBP" or len(body) < 10:
        return 0, 0
    if chunk == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 ":
        width, height = struct.unpack("<HH", body[6:10])
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; a broken EXIF block does not make an image unusable."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # as above: EXIF is a stranger's bytes too
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _cause(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:120]
