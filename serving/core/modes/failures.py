"""A challenger that fails is taken back, whatever its answers are worth, in the modes that compare answers.

Where a model fails, the champion answers in its place, so that what is left to compare are the images it can
answer. So a failed answer counts as a wrong one there (in an interleaving: as an empty list), and this rule
says besides how many failures are too many: a champion has nobody who answers for it.
"""

from dataclasses import dataclass
from typing import NamedTuple

from learning.core.confidence_sequence import anytime_interval
from serving.core.records import setting

# The rules that evidence is gathered for. What was decided before evidence said so is of 1, and comes out
# again as it did. Since 2 the errors and the comparison share `alpha`, and an A/B test's arms have intervals
# that hold at every look.
RULES = 2
ERRORS_PART = 0.2  # of `alpha`: a broken model shows soon at any level, and labels are dear


class Levels(NamedTuple):
    """What each of two tests may err by."""

    compared: float  # whose answers are better
    errors: float  # the challenger fails too often


def levels(alpha: float, rules: int) -> Levels:
    """Of a challenger that is as good and fails as often as it may, either test may be wrong, so the two
    levels sum to `alpha` (Bonferroni). By rules 1 they summed to half as much again.
    """
    if rules < 2:
        return Levels(alpha, alpha / 2)
    return Levels(alpha * (1 - ERRORS_PART), alpha * ERRORS_PART)


@dataclass(frozen=True)
class Failures:
    """Of the challenger: images it was asked about, labelled or not, by what became of them at first."""

    answered: int = 0
    errors: int = 0
    load_failed: bool = False


def max_errors() -> float:
    """The setting."""
    return setting(
        0.01, "Share of errors allowed", "proven above it, the challenger is rolled back", low=0, high=0.5
    )


def failing(failures: Failures, allowed: float, alpha: float) -> tuple[str, str] | None:
    """Rule and reason of a rollback; a share that is allowed gets one with a chance of at most `alpha`.

    By the lower end of an interval that holds at every look. It needs no baseline: an image on which both
    models fail gets no answer, and is no failure of the challenger's.
    """
    if failures.load_failed:
        return "load-failed", "The challenger's model cannot be loaded."
    asked = failures.answered + failures.errors
    low = anytime_interval(failures.errors, asked, 1 - alpha)[0]
    if low > allowed:
        told = f"At least {low:.1%} of the challenger's answers are errors, and {allowed:.1%} are allowed."
        return "errors", told
    return None
