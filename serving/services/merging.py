"""One list for the client, drafted by two models in turn; which label the client then chooses is the vote."""

import secrets
from collections.abc import Sequence

import numpy as np

from serving.core.modes import CHALLENGER, CHAMPION
from serving.core.team_draft import team_draft
from serving.models import Prediction
from serving.services.inference import Said

MERGED = "merged"


def merged_list(found: Prediction, champion: Said, challenger: Said, length: int) -> None:
    """Make the champion's answer the merged list; whose pick each label is, and the seed, are kept with it.

    A label's probability is that of the model that picked it.
    """
    said = {CHAMPION: champion, CHALLENGER: challenger}
    sure = {arm: dict(one.ranked()) for arm, one in said.items()}
    seed = secrets.randbits(32)
    rankings: dict[str, Sequence[str]] = {arm: list(labels) for arm, labels in sure.items()}
    draft = team_draft(rankings, length, np.random.default_rng(seed))
    found.arm = MERGED
    found.infer_ms = champion.infer_ms + challenger.infer_ms
    found.top = [
        {"label": label, "probability": sure[team or CHAMPION][label]}
        for label, team in zip(draft.labels, draft.teams, strict=True)
    ]
    votes = dict(zip(draft.labels, draft.teams, strict=True))
    found.trace = {**(found.trace or {}), "seed": seed, "votes": votes}
