"""One list, drafted by two models in turn; which label the client then chooses is the vote."""

import secrets
from collections.abc import Mapping, Sequence

import numpy as np

from serving.core.modes import CHALLENGER, CHAMPION
from serving.core.team_draft import Draft, team_draft
from serving.models import Prediction
from serving.services.inference import Said

MERGED = "merged"


def drafted(champion: Said, challenger: Said, length: int) -> tuple[int, Mapping[str, Sequence[str]], Draft]:
    """The draft's seed, each model's labels, the likeliest first, and the draft."""
    seed = secrets.randbits(32)
    rankings = {
        arm: [label for label, _ in one.ranked()]
        for arm, one in ((CHAMPION, champion), (CHALLENGER, challenger))
    }
    return seed, rankings, team_draft(dict(rankings), length, np.random.default_rng(seed))


def merged_list(found: Prediction, champion: Said, challenger: Said, length: int) -> None:
    """Make the champion's answer the merged list; whose pick each label is, and the seed, are kept with it.

    A label's probability is that of the model that picked it.
    """
    said = {CHAMPION: champion, CHALLENGER: challenger}
    sure = {arm: dict(one.ranked()) for arm, one in said.items()}
    seed, _, draft = drafted(champion, challenger, length)
    found.arm = MERGED
    found.infer_ms = champion.infer_ms + challenger.infer_ms
    found.top = [
        {"label": label, "probability": sure[team or CHAMPION][label]}
        for label, team in zip(draft.labels, draft.teams, strict=True)
    ]
    votes = dict(zip(draft.labels, draft.teams, strict=True))
    found.trace = {**(found.trace or {}), "seed": seed, "votes": votes}
