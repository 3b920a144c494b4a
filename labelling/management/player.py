"""An annotator who knows the truth: asks for items, looks at the image, answers, as the page does."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import uuid4

import numpy as np

from labelling.management.visitor import Visitor

# The label's name; with several questions, that of each by the question's key.
Truth = str | Mapping[str, str]

AT_HAND = 3
# For so long it may be dry: a swap, or someone else's leases. Nobody waits for a whole lease to run out.
PATIENCE_SECONDS = 10.0
DRY_PAUSE_SECONDS = 0.5


@dataclass
class Tally:
    """How many labels the annotators have given together."""

    wanted: int
    given: int = 0
    skipped: int = 0
    dry: bool = False
    stopped: bool = False
    _claimed: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def claim(self) -> bool:
        """Take it upon oneself to give one more label; False when there are enough."""
        with self._lock:
            if self.stopped or self._claimed >= self.wanted:
                return False
            self._claimed += 1
            return True

    def give_back(self) -> None:
        with self._lock:
            self._claimed -= 1

    def count(self) -> int:
        with self._lock:
            self.given += 1
            return self.given


@dataclass
class Player:
    visitor: Visitor
    slug: str
    truth: Mapping[str, Truth]
    tally: Tally
    error_rate: float
    pace: float
    rng: np.random.Generator
    on_label: Callable[["Player", int], None]

    def play(self) -> None:
        """Answer until there are enough labels, or nothing has been asked for a while."""
        page = self.visitor.label_page(self.slug)
        asked = {question["id"]: question for question in page["questions"]}
        asked_at = time.monotonic()
        while not self.tally.stopped:
            leased = self.visitor.post(page["next"], {"count": AT_HAND, "holding": []})["items"]
            if leased:
                asked_at = time.monotonic()
            elif time.monotonic() - asked_at > PATIENCE_SECONDS:
                self.tally.dry = True
                return
            else:
                time.sleep(DRY_PAUSE_SECONDS)
            for item in leased:
                known = self.truth.get(sha256(self.visitor.get(item["image"])).hexdigest())
                for question in item["questions"]:
                    name = known if isinstance(known, str) else (known or {}).get(asked[question]["key"])
                    labels = {label["name"]: label["id"] for label in asked[question]["labels"]}
                    if not self._answer(page, item, question, labels, name):
                        return

    def _answer(
        self,
        page: Mapping[str, Any],
        item: Mapping[str, Any],
        question: int,
        labels: Mapping[str, int],
        name: str | None,
    ) -> bool:
        """Answer one question, or skip it if the truth lacks the image; False when there are enough."""
        if not self.tally.claim():
            return False
        began = time.monotonic()
        time.sleep(self.pace)
        if name is not None and self.rng.random() < self.error_rate and len(labels) > 1:
            name = str(self.rng.choice([other for other in labels if other != name]))
        label = labels.get(name) if name is not None else None
        self.visitor.post(
            page["annotations"],
            {
                "uuid": str(uuid4()),
                "item": item["item"],
                "question": question,
                "label": label,
                "seconds": round(time.monotonic() - began, 3),
            },
        )
        if label is None:
            self.tally.give_back()
            self.tally.skipped += 1
        else:
            self.on_label(self, self.tally.count())
        return True
