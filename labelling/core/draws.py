"""Draws by digest: the same image in the same project always falls on the same side."""

from hashlib import blake2b


def is_holdout(digest: str, seed: int, share: float) -> bool:
    """Whether the image goes to the hold-out, which happens with probability `share`."""
    return _draw(digest, seed, b"split") < share * 2**64


def random_rank(digest: str, seed: int) -> int:
    """The image's place in the project's random order, uniform over 31 bits."""
    return _draw(digest, seed, b"order") >> 33


def _draw(digest: str, seed: int, purpose: bytes) -> int:
    """Uniform over 64 bits."""
    key = seed.to_bytes(8, "big")
    return int.from_bytes(blake2b(digest.encode(), key=key, person=purpose, digest_size=8).digest(), "big")
