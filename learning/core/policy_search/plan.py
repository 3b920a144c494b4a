"""How a child is trained: settings a person can choose."""

from dataclasses import dataclass, replace

from learning.core.shown import shown

WIDTHS = {"small": (16, 32, 64), "medium": (32, 64, 128)}
DEPTHS = {"small": 1, "medium": 2}  # convolutions of each of the three stages
# A small child sees pictures at half their side: a quarter of the work, and hardly less to see.
SHRUNK = {"small": 2, "medium": 1}
LABELS, LOOKED_AT, BATCH = (4, 1_000_000), (64, 1_000_000), (2, 4_096)
LONGER = 10  # times, at most, that finalists' children learn from more labels and look longer


@dataclass(frozen=True)
class ChildPlan:
    """Raises ValueError, with a sentence, for what cannot be."""

    size: str = "small"
    # So many labels at most, each of a trial's two children one half; those left over are answered by both.
    labels: int = 200
    # Pictures, over all epochs, by each of the two children of a trial: 40 times each of 100. Children that
    # look less often ask for less augmentation than a network that is trained for long, and rank policies by
    # chance, or the other way round. Few pictures seen often rank as well as many, in a fifth of the time
    # (`python -m benchmarks.children --labels 1000`).
    looked_at: int = 4_000
    batch: int = 32
    rate: float = 1e-2

    def __post_init__(self) -> None:
        if not isinstance(self.size, str) or self.size not in WIDTHS:
            raise ValueError(f"There is no child {shown(self.size)}; there are: {', '.join(WIDTHS)}.")
        for what, value, (low, high) in (
            ("labels", self.labels, LABELS),
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

    def for_finals(self, labels: int) -> "ChildPlan":
        """Finalists are few: their children learn from all labels, and look as often at each picture."""
        times = min(LONGER, max(1.0, labels / self.labels))
        looked_at = min(round(times * self.looked_at), LOOKED_AT[1])
        return replace(self, labels=min(round(times * self.labels), LABELS[1]), looked_at=looked_at)
