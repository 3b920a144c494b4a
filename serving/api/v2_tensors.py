"""The JSON of the Open Inference Protocol, to images and back. Every refusal is one sentence.

Protocol: https://github.com/kserve/open-inference-protocol, inference_rest.md. A tensor's bytes behind the
JSON: https://github.com/triton-inference-server/server, docs/protocol/extension_binary_data.md.
"""

import base64
import binascii
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rest_framework.exceptions import ParseError

from labelling.core.images import MAX_PIXELS
from serving.api.uploads import MAX_IMAGES

INPUT = "image"
_WANTED = (
    f"send one named '{INPUT}', of datatype UINT8 and shape [N, height, width, 3], "
    "or BYTES and shape [N] with the files in base64"
)


@dataclass(frozen=True)
class Asked:
    """A request as it was sent, its images as files."""

    images: list[bytes]
    id: str | None
    parameters: dict[str, Any]
    outputs: list[str] | None  # those wanted, None for all


def asked_for(body: bytes, length: str | None = None) -> Asked:
    """`length`: the header Inference-Header-Content-Length, how many bytes the JSON has where the tensor's
    own follow it. Raises ParseError.
    """
    said, binary = _apart(body, length)
    try:
        sent = json.loads(said, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # ValueError: also a number of thousands of digits
        raise ParseError("The body is not JSON: the reference page shows what to send.") from error
    if not isinstance(sent, dict):
        raise ParseError("The body must be an object with 'inputs'.")
    request_id, parameters = sent.get("id"), sent.get("parameters")
    parameters = {} if parameters is None else parameters
    if not isinstance(request_id, str | None):
        raise ParseError("'id' must be a text.")
    if not isinstance(parameters, dict):
        raise ParseError("'parameters' must be an object.")
    return Asked(_images(sent.get("inputs"), binary), request_id, parameters, _outputs(sent.get("outputs")))


def shown(sent: object) -> str:
    """The beginning of what was sent, for a sentence. JSON can hold half a character, which no answer can."""
    return str(sent)[:40].encode(errors="replace").decode()


def _apart(body: bytes, length: str | None) -> tuple[bytes, bytes | None]:
    """The JSON, and the bytes that follow it; None where the client knows of none."""
    if length is None:
        return body, None
    if not (length.isascii() and length.isdigit() and int(length[:12]) <= len(body)):
        raise ParseError(
            f"Inference-Header-Content-Length is '{length[:20]}': it must be how many of the body's "
            f"{len(body)} bytes are JSON."
        )
    return body[: int(length)], body[int(length) :]


def _refuse_constant(name: str) -> NoReturn:
    raise ParseError(f"The body holds {name}: tensors must hold finite numbers.")


def _outputs(sent: object) -> list[str] | None:
    if sent is None:
        return None
    if not (
        isinstance(sent, list)
        and all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in sent)
    ):
        raise ParseError("'outputs' must be a list of objects with a 'name'.")
    return [one["name"] for one in sent] or None


def _images(inputs: object, binary: bytes | None) -> list[bytes]:
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise ParseError(f"'inputs' must be a list of one tensor: {_WANTED}.")
    [tensor] = inputs
    if tensor.get("name") != INPUT:
        raise ParseError(f"There is no input '{shown(tensor.get('name'))}': {_WANTED}.")
    shape, data, datatype = tensor.get("shape"), tensor.get("data"), tensor.get("datatype")
    if not (
        isinstance(shape, list)
        and shape
        and all(type(side) is int and 0 < side <= MAX_PIXELS for side in shape)
    ):
        raise ParseError(f"'shape' must be a list of whole numbers from 1 to {MAX_PIXELS}.")
    if shape[0] > MAX_IMAGES:
        raise ParseError(f"A request holds at most {MAX_IMAGES} images, not {shape[0]}: send more requests.")
    if binary:
        data = _behind(tensor, binary)
    elif not isinstance(data, list):
        raise ParseError("'data' must be a list, or the tensor's bytes must follow the JSON.")
    if datatype == "UINT8":
        return _written(data, shape)
    if datatype == "BYTES":
        return _files(data, shape)
    raise ParseError(f"The datatype '{shown(datatype)}' is not read here: {_WANTED}.")


def _behind(tensor: dict[str, Any], binary: bytes) -> bytes:
    """The tensor's own bytes."""
    parameters = tensor.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size != len(binary) or type(size) is not int:
        raise ParseError(
            f"{len(binary)} bytes follow the JSON, so the input's parameter 'binary_data_size' must say so."
        )
    if tensor.get("data") is not None:
        raise ParseError("The input has both 'data' and bytes behind the JSON: send one of them.")
    return binary


def _written(data: list[Any] | bytes, shape: list[int]) -> list[bytes]:
    if len(shape) != 4 or shape[3] != 3:
        raise ParseError(f"Pixels need the shape [N, height, width, 3], not {shape}.")
    if shape[1] * shape[2] > MAX_PIXELS:
        raise ParseError(
            f"An image has at most {MAX_PIXELS // 10**6} megapixels, but {shape[1]} x {shape[2]} are more."
        )
    if isinstance(data, bytes):
        if len(data) != math.prod(shape):
            raise ParseError(f"{len(data)} bytes follow the JSON, but {shape} are {math.prod(shape)} pixels.")
        return [_png(pixels) for pixels in np.frombuffer(data, np.uint8).reshape(shape)]
    try:
        found = np.asarray(data)
    except (ValueError, OverflowError) as error:
        raise ParseError(
            f"'data' does not have the shape {shape}: its lists differ in length or depth."
        ) from error
    if found.size != math.prod(shape) or (found.ndim > 1 and list(found.shape) != shape):
        raise ParseError(f"'data' has the shape {list(found.shape)[:6]}, not {shape}.")
    if found.dtype.kind not in "iu" or found.min() < 0 or found.max() > 255:
        raise ParseError("Pixels of datatype UINT8 must be whole numbers from 0 to 255.")
    return [_png(pixels) for pixels in found.astype(np.uint8).reshape(shape)]


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """A file that says the same: from there on, pixels and files go one way, into the pool too."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()


def _files(data: list[Any] | bytes, shape: list[int]) -> list[bytes]:
    if shape[1:] not in ([], [1]):
        raise ParseError(f"Files need the shape [N] or [N, 1], not {shape}.")
    if isinstance(data, bytes):
        return _cut(data, shape[0])
    flat = [one[0] if isinstance(one, list) and len(one) == 1 else one for one in data]
    if len(flat) != shape[0]:
        raise ParseError(f"'data' holds {len(flat)} files, but 'shape' says {shape[0]}.")
    return [_file(one, place) for place, one in enumerate(flat)]


def _cut(data: bytes, count: int) -> list[bytes]:
    """Files that each stand behind their length, four bytes, the lowest first."""
    found: list[bytes] = []
    start = 0
    while start < len(data) and len(found) <= count:
        end = start + 4 + int.from_bytes(data[start : start + 4], "little")
        if end > len(data):
            raise ParseError(f"File {len(found)} is longer than the bytes that follow the JSON.")
        found.append(data[start + 4 : end])
        start = end
    if len(found) != count:
        many = f"more than {count}" if len(found) > count else str(len(found))
        raise ParseError(f"{many} files follow the JSON, but 'shape' says {count}.")
    return found


def _file(text: object, place: int) -> bytes:
    if not isinstance(text, str):
        raise ParseError(f"File {place} is not a text: send its bytes in base64.")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ParseError(f"File {place} is not base64.") from error


def tensor(name: str, datatype: str, values: Sequence[Sequence[object]] | Sequence[object]) -> dict[str, Any]:
    """(N,) or (N, k) values, row by row."""
    rows = [one if isinstance(one, list) else [one] for one in values]
    shape = [len(rows), len(rows[0])] if isinstance(values[0], list) else [len(rows)]
    return {
        "name": name,
        "datatype": datatype,
        "shape": shape,
        "data": [cell for row in rows for cell in row],
    }
