"""Which arm answers: the same key, the same arm, in every process and without a table.

GrowthBook's hash, version 2: n = fnv32a(digits of fnv32a(seed + key)) % 10000 / 10000. Arms are ranges of
[0, 1), laid one after another in the order of their names, so widening the first never moves anyone out of
it. New weights in the middle move people: they are a new phase with a new seed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BUCKETS = 10_000
_OFFSET, _PRIME = 0x811C9DC5, 0x01000193
_AT_ONCE = 1 << 18  # keys that are hashed together: their bytes stay in the processor's cache


@dataclass(frozen=True)
class Range:
    """The keys whose n lies in [low, high)."""

    arm: str
    low: float
    high: float


def fnv32a(text: str) -> int:
    """FNV-1a, 32 bits (Fowler, Noll, Vo 1991), of the text's UTF-8."""
    found = _OFFSET
    for byte in text.encode(errors="surrogatepass"):  # JSON can hold half a pair
        found = (found ^ byte) * _PRIME % 2**32
    return found


def bucket(seed: str, key: str) -> float:
    """n of a key: one of 0, 1/10000, ..., 9999/10000."""
    return fnv32a(str(fnv32a(seed + key))) % BUCKETS / BUCKETS


def ranges(weights: Mapping[str, float], coverage: float = 1.0) -> list[Range]:
    """[cum, cum + coverage * weight) of each arm by name: with less coverage every range ends earlier, and
    none begins elsewhere.

    Raises ValueError for weights that are negative or whose sum is not 1.
    """
    if min(weights.values(), default=-1.0) < 0 or abs(sum(weights.values()) - 1) > 1e-9:
        raise ValueError(f"Shares of traffic must be at least 0 and have the sum 1, not {dict(weights)}.")
    found, start = [], 0.0
    for arm in sorted(weights):
        found.append(Range(arm, start, start + coverage * weights[arm]))
        start += weights[arm]
    if coverage == 1:
        found[-1] = Range(found[-1].arm, found[-1].low, 1.0)  # no key falls into a rounding error
    return found


def arm_at(n: float, places: list[Range]) -> str | None:
    """None for a key that no range covers."""
    return next((place.arm for place in places if place.low <= n < place.high), None)


def buckets(seed: str, keys: NDArray[np.bytes_]) -> NDArray[np.int64]:
    """n * 10000 of many keys (N,), as `bucket` gives it one by one. Keys must not hold a zero byte."""
    whole = np.ascontiguousarray(keys)
    parts = [_hashed(seed, whole[at : at + _AT_ONCE]) for at in range(0, len(whole), _AT_ONCE)]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _hashed(seed: str, keys: NDArray[np.bytes_]) -> NDArray[np.int64]:
    letters = keys.view(np.uint8).reshape(len(keys), -1)  # (N, longest key), padded with zeros
    first = np.full(len(keys), fnv32a(seed), np.uint32)
    for column in np.ascontiguousarray(letters.T):
        first = np.where(column != 0, _step(first, column), first)
    second = np.full(len(keys), _OFFSET, np.uint32)
    for power in range(9, -1, -1):
        digit = (first // np.uint32(10**power) % np.uint32(10)).astype(np.uint8) + np.uint8(ord("0"))
        written = (first >= 10**power) | (power == 0)
        second = np.where(written, _step(second, digit), second)
    return (second % BUCKETS).astype(np.int64)


def _step(state: NDArray[np.uint32], byte: NDArray[np.uint8]) -> NDArray[np.uint32]:
    return (state ^ byte) * np.uint32(_PRIME)
