"""Interleaved lists: fair between equal models, and how many choices a better one takes.

A model ranks labels by a score: the truth stands out, the rest is noise that both models share for the most
part, as two versions of one model do. People choose the true label where the list has it. In an A/B test
clients stay in their arm and differ from each other, which interleaving, that compares within a choice, never
sees; one where every choice is drawn anew stands beside it.
"""

import numpy as np
from numpy.typing import NDArray

from benchmarks.rollouts.comparisons import ALPHA, first
from benchmarks.rollouts.table import Table
from serving.core.modes import CHALLENGER, CHAMPION, ab
from serving.core.modes.interleaving import Config
from serving.core.statistics.cuped import adjusted_difference
from serving.core.statistics.mean_difference import anytime_p
from serving.core.statistics.sign_test import log_sign_evidence
from serving.core.team_draft import team_draft

CLASSES = 10
ALIKE = 0.9  # correlation of the models' noise
CHAMPION_SIGNAL, BETTER_SIGNAL = 2.62, 2.80  # 80% and 83% right at first place
LONGEST = 3000
CLIENTS, CHOICES = 3000, 40
CLIENTS_SPREAD = 0.1  # of the accuracy from client to client

Ids = NDArray[np.int64]


def rankings(signal: float, shared: NDArray[np.float64], rng: np.random.Generator) -> Ids:
    """(n, CLASSES) labels, best first; the truth is label 0."""
    scores = np.sqrt(ALIKE) * shared + np.sqrt(1 - ALIKE) * rng.standard_normal(shared.shape)
    scores[:, 0] += signal
    return np.asarray((-scores).argsort(axis=1))


def votes(champion: Ids, challenger: Ids, rng: np.random.Generator) -> NDArray[np.int64]:
    """(n,): 1 for the challenger, -1 for the champion, 0 for neither."""
    worth = {CHALLENGER: 1, CHAMPION: -1, "": 0}
    found = []
    for old, new in zip(champion.astype(str).tolist(), challenger.astype(str).tolist(), strict=True):
        draft = team_draft({CHAMPION: old, CHALLENGER: new}, Config().length, rng)
        found.append(worth[draft.vote("0")])
    return np.array(found)


def simulate(table: Table, rng: np.random.Generator, *, quick: bool) -> None:
    shared = rng.standard_normal((2000, CLASSES))
    same = rankings(CHAMPION_SIGNAL, shared, rng)
    delta = abs(votes(same, same, rng).mean() / 2)
    table.claim("interleaving: |Delta| of identical rankings", 0.005, float(delta), "", 2000)
    n = 10_000 if quick else 100_000
    shared = rng.standard_normal((n, CLASSES))
    old, new = (rankings(CHAMPION_SIGNAL, shared, rng) for _ in range(2))
    cast = votes(old, new, rng)
    spread = float(cast.std() / 2 / np.sqrt(n))
    table.tell(
        "interleaving: Delta of different rankings that are equally good", cast.mean() / 2, "", n, spread
    )
    # Also with the sides swapped: what was drawn must not itself prefer one.
    _equal(table, np.concatenate([cast, -cast]), rng, 2000)
    _better(table, rng, 30 if quick else 300)


def _equal(table: Table, cast: NDArray[np.int64], rng: np.random.Generator, runs: int) -> None:
    drawn = rng.choice(cast, (runs, 2000))
    wrong = _ends(drawn) < np.inf
    told = "interleaving: found different, equally good, 2000 choices, looked at after each"
    table.claim(told, 5.0, 100 * float(wrong.mean()), "%", runs)


def _ends(cast: NDArray[np.int64]) -> NDArray[np.float64]:
    wins, losses = (cast > 0).cumsum(axis=1), (cast < 0).cumsum(axis=1)
    enough = wins + losses >= Config().min_votes
    return first(enough & (log_sign_evidence(wins, losses) >= -np.log(ALPHA)))


def _better(table: Table, rng: np.random.Generator, runs: int) -> None:
    shared = rng.standard_normal((runs * LONGEST // 10, CLASSES))
    old, new = (rankings(signal, shared, rng) for signal in (CHAMPION_SIGNAL, BETTER_SIGNAL))
    cast = rng.choice(votes(old, new, rng), (runs, LONGEST))
    interleaved = float(np.median(_ends(cast)))
    p_old, p_new = (float((one[:, 0] == 0).mean()) for one in (old, new))
    told = (
        f"choices until decided, {100 * p_old:.1f}% against {100 * p_new:.1f}% right at first place: median"
    )
    table.tell(f"interleaving: {told}", interleaved, "choices", runs)
    divided = {
        f"A/B by clients of {CHOICES} choices": [_by_clients(p_old, p_new, rng) for _ in range(runs)],
        "A/B by single choices": [_by_choices(p_old, p_new, rng) for _ in range(runs)],
    }
    for name, ends in divided.items():
        median = float(np.median(ends))
        table.tell(f"{name}: {told}", median, "choices", runs)
        share = f"interleaving: choices until decided, as a share of {name}"
        table.claim(share, 0.1, interleaved / median, "", runs)


def _by_clients(p_old: float, p_new: float, rng: np.random.Generator) -> float:
    """Choices until decided; one observation is a client's share of right answers, as the A/B mode counts."""
    arm = rng.random(CLIENTS) < 0.5
    p = np.where(arm, p_new, p_old)
    many = p * (1 - p) / CLIENTS_SPREAD**2 - 1  # of a beta distribution with this mean and spread
    right = rng.binomial(CHOICES, rng.beta(p * many, (1 - p) * many)) / CHOICES
    return CHOICES * _ab_end(arm, right)


def _by_choices(p_old: float, p_new: float, rng: np.random.Generator) -> float:
    arm = rng.random(CLIENTS * CHOICES) < 0.5
    return _ab_end(arm, (rng.random(len(arm)) < np.where(arm, p_new, p_old)).astype(float))


def _ab_end(arm: NDArray[np.bool_], y: NDArray[np.float64]) -> float:
    config, nothing = ab.Config(), np.zeros(len(y))
    terms = (np.ones(len(y)), y, y * y, nothing, nothing, nothing)
    champion, challenger = (np.array([(term * side).cumsum() for term in terms]) for side in (~arm, arm))
    start = int(np.argmax(np.minimum(champion[0], challenger[0]) >= config.min_units))
    found = adjusted_difference(champion[:, start:], challenger[:, start:])
    n = np.arange(start, len(y)) + 1
    p = anytime_p(found.difference, found.variance, n, ALPHA, config.planned_units)
    return float(start + first((p <= ALPHA)[None])[0])
