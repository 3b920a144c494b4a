"""How alike are two models' answers, labels or not?"""

from collections.abc import Mapping

import numpy as np


def kappa(agreements: int, one: Mapping[str, int], other: Mapping[str, int]) -> float | None:
    """Agreement beyond that of two raters with these numbers of answers a class who do not look (Cohen 1960).
    None without pairs, or where both only ever give the same one answer.
    """
    n = sum(one.values())
    if n == 0:
        return None
    chance = sum(count * other.get(label, 0) for label, count in one.items()) / n**2
    return None if chance == 1 else (agreements / n - chance) / (1 - chance)


def jensen_shannon(one: Mapping[str, int], other: Mapping[str, int]) -> float | None:
    """The divergence of two histograms in bits, 0..1 (Lin 1991). None while one of them is empty."""
    labels = sorted({*one, *other})
    p = np.array([one.get(label, 0) for label in labels], float)
    q = np.array([other.get(label, 0) for label in labels], float)
    if p.sum() == 0 or q.sum() == 0:
        return None
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    bits = [side[side > 0] @ np.log2(side[side > 0] / middle[side > 0]) for side in (p, q)]
    return float(max(0.0, sum(bits) / 2))
