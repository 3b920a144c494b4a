"""How long a run may take, all of it: reading, measuring, training, exporting and comparing."""

import time
from dataclasses import dataclass, field

# Of a network, with its checks: 0.4 s for a small one, 1 s for EfficientNet-Lite0, alone or in a pair.
EXPORT_SECONDS = 1.5


@dataclass(frozen=True)
class TimeBudget:
    """Seconds since this worker began; another one that takes the run over keeps what is planned already."""

    seconds: float
    comparing: float  # what comparing takes a backbone
    began: float = field(default_factory=time.monotonic)

    def for_training(self, *, ways: int, compared: int) -> float:
        """Seconds for the first of so many `ways` still to be trained; each gets as much.

        All of them are exported, and in what is left backbones are `compared` so many times.
        """
        left = self.seconds - (time.monotonic() - self.began)
        return max(0.0, left - compared * self.comparing - ways * EXPORT_SECONDS) / ways
