"""What is handed to another process: a header in JSON, then the bytes of images and numbers. No pickle."""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

_LENGTH = struct.Struct("<q")


def packed(kind: str, header: Mapping[str, object], parts: Sequence[bytes]) -> bytes:
    """Numbers of numpy and identifiers are read back as JSON knows them."""
    told = {"kind": kind, "header": header, "parts": [len(part) for part in parts]}
    head = orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY)
    return b"".join((_LENGTH.pack(len(head)), head, *parts))


def unpacked(content: bytes) -> tuple[str, dict[str, Any], list[bytes]]:
    """Raises ValueError for what `packed` has not made."""
    if len(content) < _LENGTH.size:
        raise ValueError("what was handed over is empty")
    [length] = _LENGTH.unpack_from(content)
    start = _LENGTH.size + length
    told = orjson.loads(content[_LENGTH.size : start])
    parts = []
    for size in told["parts"]:
        parts.append(content[start : start + size])
        start += size
    if start != len(content):
        raise ValueError(f"{len(content)} bytes were handed over, and should be {start}")
    return told["kind"], told["header"], parts
