"""Which images of live traffic are asked of annotators, and with which chance: what is drawn unevenly and
says how can be corrected for, what is picked cannot.
"""

UNSURE_TIMES = 3.0  # as likely to be asked as others: their labels teach more


def unsure_below(classes: int) -> float:
    """A best guess of less is unsure: halfway between chance and certainty."""
    return (1 + 1 / classes) / 2


def chance(share: float, sure: float, classes: int) -> float:
    """That an image is drawn: `share` is the even audit's, `sure` the probability of the best guess."""
    return min(1.0, UNSURE_TIMES * share) if sure < unsure_below(classes) else share


def drawn(n: float, share: float, sure: float, classes: int) -> float | None:
    """The chance with which the image was drawn, None if it was not. `n`: its place in [0, 1), from a hash.

    What the even audit draws (n < share) is part of what is drawn here.
    """
    likely = chance(share, sure, classes)
    return likely if n < likely else None
