"""How a child is trained: settings a person can choose."""

from dataclasses import dataclass

from learning.core.shown import shown

WIDTHS = {"small": (16, 32, 64), "medium": (32, 64, 128)}
DEPTHS = {"small": 1, "medium": 2}  # convolutions of each of the three stages
# A small child sees pictures at half their side: a quarter of the work, and hardly less to see.
SHRUNK = {"small": 2, "medium": 1}
LOOKED_AT, BATCH = (64, 1_000_000), (2, 4_096)


@dataclass(frozen=True)
class ChildPlan:
    """Raises ValueError, with a sentence, for what cannot be."""

    size: str = "small"
    # Pictures, over all epochs, by each of the two children of a trial. By half as many, children ask for
    # less augmentation than a network that is trained for long: the ranks of policies by both hardly agree.
    looked_at: int = 4_000
    batch: int = 32
    rate: float = 1e-2

    def __post_init__(self) -> None:
        if not isinstance(self.size, str) or self.size not in WIDTHS:
            raise ValueError(f"There is no child {shown(self.size)}; there are: {', '.join(WIDTHS)}.")
        for what, value, (low, high) in (
            ("looked_at", self.looked_at, LOOKED_AT),
            ("batch", self.batch, BATCH),
        ):
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise ValueError(
                    f"A child's {what} must be whole, from {low:,} to {high:,}, not {shown(value)}."
                )
        number = isinstance(self.rate, int | float) and not isinstance(self.rate, bool)
        if not (number and 0 < self.rate < 1):
            raise ValueError(f"A child's learning rate must be above 0 and below 1, not {shown(self.rate)}.")
