from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.core.methods.base import TrainingData, declared, method, positive
from learning.core.methods.folds import folds, held_out
from learning.core.methods.head import Float32, Head, softmax
from learning.core.methods.semi_supervised import sample
from learning.core.methods.softmax_regression import softmax_regression
from learning.core.methods.standardise import standard_of
from learning.core.methods.transfer import PENALTY, transfer

NODES = 5_000  # unlabelled items looked at
SHARES = (0.3, 0.5, 0.7)  # of each class's pseudo-labels that the student of a turn sees
FITTED = 600  # pseudo-labels a student learns from
DROPOUT = 0.2
WEIGHT = 0.3  # of all pseudo-labels together, against all people's
FOLDS = 3


@method(
    "self-training",
    title="Self-training",
    summary="learns from its own sure guesses too, if that helps on held-back labels; "
    "for many items and few labels.",
    needs={"unlabelled"},
    member="transfer",
    effort=30,
    unguarded=8,
    open_copies=2,  # of those that it takes its own word for
)
def self_training(data: TrainingData, config: Mapping[str, Any], rng: np.random.Generator) -> Head:
    """Noisy student (Xie et al. 2020) in embedding space: a teacher labels the pool, its surest answers of
    each class teach a student with dropout and mixup (Zhang et al. 2018), which becomes the teacher.

    Guarded against confirming its own errors: by cross-validation on people's labels the student must answer
    no fewer held-out items than the teacher alone; else the teacher is returned and the note says so.
    `config["guard"]` False leaves that to the caller.
    """
    strength = positive(config, "C", PENALTY)
    data = replace(data, unlabelled=sample(declared(data.unlabelled), NODES, rng))
    if config.get("guard") is False:
        return _students(data, strength, rng)
    parts = folds(data.labels, FOLDS, rng)
    teacher = transfer(data, {"C": strength}, rng)
    if not parts:
        return replace(teacher, note="The teacher alone: no label has two examples to check a student by.")
    alone = held_out(lambda part: transfer(part, {"C": strength}, rng), data, parts).right
    taught = held_out(lambda part: _students(part, strength, rng), data, parts).right
    if taught.sum() < alone.sum():
        return replace(
            teacher,
            note=f"The teacher alone: a student answered {taught.sum()} of {len(taught)} held-back labels "
            f"rightly, the teacher {alone.sum()}.",
        )
    return replace(
        _students(data, strength, rng),
        note=f"A student: it answered {taught.sum()} of {len(taught)} held-back labels rightly, the teacher "
        f"{alone.sum()}.",
    )


def _students(data: TrainingData, strength: float, rng: np.random.Generator) -> Head:
    pool = declared(data.unlabelled)
    head = transfer(data, {"C": strength}, rng)
    standard = standard_of(np.concatenate([data.embeddings, sample(pool, FITTED, rng)]), data.parts)
    z = standard.features(data.embeddings)
    seen, which = np.unique(data.labels, return_inverse=True)
    own = np.ones(len(z)) if data.weight is None else data.weight
    for share in SHARES:
        proba = softmax(head.logits(pool)[:, seen])
        kept = sample(balanced(proba, share), FITTED, rng)
        guesses = np.eye(len(seen))[proba[kept].argmax(axis=1)]
        noisy, soft = noise(standard.features(pool[kept]), guesses, rng)
        weight = np.concatenate([own, np.full(len(kept), WEIGHT * own.sum() / max(len(kept), 1))])
        found = softmax_regression(
            np.concatenate([z, noisy]),
            np.concatenate([np.eye(len(seen))[which], soft]),
            weight,
            strength=strength,
            tick=data.tick,
        )
        head = standard.head(found, seen, data.classes)
    return head


def balanced(proba: NDArray[np.float64], share: float) -> NDArray[np.int64]:
    """Rows of the surest guesses, of each class at most the share that the average class has.

    Without the limit, the class that the teacher likes best grows from turn to turn.
    """
    guess = proba.argmax(axis=1)
    most = int(np.ceil(share * len(proba) / proba.shape[1]))
    rows = [np.flatnonzero(guess == label) for label in range(proba.shape[1])]
    best = [found[np.argsort(-proba[found, label], kind="stable")[:most]] for label, found in enumerate(rows)]
    return np.sort(np.concatenate(best))


def noise(
    z: Float32, soft: NDArray[np.float64], rng: np.random.Generator
) -> tuple[Float32, NDArray[np.float64]]:
    """Dropout of features, and each row mixed with another one, with the labels in the same shares."""
    partner = rng.permutation(len(z))
    drawn = rng.beta(0.4, 0.4, (len(z), 1))
    share = np.maximum(drawn, 1 - drawn)
    dropped = z * (rng.random(z.shape) >= DROPOUT) / (1 - DROPOUT)
    mixed = share * dropped + (1 - share) * dropped[partner]
    return mixed.astype(np.float32), share * soft + (1 - share) * soft[partner]
