"""From what several people said to one answer."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    label: int
    answers: int
    agreement: float  # share of the answers that say `label`


def majority(labels: Sequence[int]) -> Verdict | None:
    """The label most people gave; `labels` stand in the order of arrival, one a person.

    Of several labels with as many voices, the one that had them first wins: a later tie changes nothing.
    """
    voices: Counter[int] = Counter()
    best: int | None = None
    for label in labels:
        voices[label] += 1
        if best is None or voices[label] > voices[best]:
            best = label
    if best is None:
        return None
    return Verdict(label=best, answers=len(labels), agreement=voices[best] / len(labels))
