"""How other items are mixed among the ranked ones: draws that can be replayed, by a keyed hash."""

from hashlib import blake2b


def from_holdout(seed: int, number: int, share: float) -> bool:
    """Whether the lease of this number is drawn from the hold-out, which happens with probability `share`."""
    return _drawn(seed, number, share, b"")


def from_wanted(seed: int, number: int, share: float) -> bool:
    """Whether it may be one that is wanted because of what happens outside."""
    return _drawn(seed, number, share, b"wanted")


def _drawn(seed: int, number: int, share: float, purpose: bytes) -> bool:
    key = seed.to_bytes(8, "big")
    digest = blake2b(number.to_bytes(8, "big"), key=key, person=purpose, digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64
