"""How hold-out items are mixed among the asked ones: a draw that can be replayed, by a keyed hash."""

from hashlib import blake2b


def from_holdout(seed: int, number: int, share: float) -> bool:
    """Whether the lease of this number is drawn from the hold-out, which happens with probability `share`."""
    digest = blake2b(number.to_bytes(8, "big"), key=seed.to_bytes(8, "big"), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64
