from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.core import registry
from learning.core.methods.base import FALLBACK, METHODS, NO_LABEL, Method, TrainingData, method, positive
from learning.core.methods.budget import fit_seconds
from learning.core.methods.folds import folds, held_out
from learning.core.methods.head import Head

NAME = "auto"
FOLDS = 3
SECONDS = 25.0
ONE_EXAMPLE = "prototypes"  # where no label has two examples to compare by
BY_RULES = "weak-supervision"  # where people's labels are of less than two classes

Parts = list[tuple[NDArray[np.int64], NDArray[np.int64]]]


@method(
    NAME,
    title="Automatic",
    summary="compares the methods that fit the labels and rules there are, and takes the best; the choice "
    "without a favourite.",
    welcomes={"soft", "unlabelled"},
    member="transfer",
    effort=80,
    open_copies=4.5,  # of semi-supervised
)
def auto(data: TrainingData, config: Mapping[str, Any], rng: np.random.Generator) -> Head:
    """The method by which labels held back in stratified cross-validation are likeliest; of equals transfer,
    then the quickest.

    Right answers tell less: labels that a strategy asked for are the hard ones, and of some hundred of them
    those who knew most were up to ten points worse on others. Prototypes, for one example a class, are not
    compared.

    `config["seconds"]`: the time that comparing and fitting may take. It is planned from what each method's
    fit takes, not from the clock, so that a busy machine gives the same bits. `config["chosen"]`: what
    `choice` found before; it is fitted, and nothing is compared. The head's note is the reason.
    """
    seed = _seed(rng)
    people = np.flatnonzero(data.labels != NO_LABEL)
    if len(np.unique(data.labels[people])) < 2:
        only = METHODS[BY_RULES]
        note = f"{only.title}: people's labels are not of two classes yet."
        return replace(only.fit(data, {}, rng), note=note)
    parts = _parts(data, rng)
    if not parts:
        only = METHODS[ONE_EXAMPLE]
        note = f"{only.title}: no label has two examples yet to compare methods by."
        return replace(only.fit(data, {}, rng), note=note)
    chosen = config.get("chosen") or _compared(data, parts, config, seed)
    entry = registry.find(METHODS, chosen["method"], "method")
    data.tick(f"learning by {entry.title}")
    return replace(_fit(entry, seed, data), note=f"{entry.title}: {chosen['why']}.")


def choice(data: TrainingData, config: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any] | None:
    """What `auto` fits with the same arguments: the method's name, the number of labels that say so, and why.
    None where there is nothing to compare by yet.
    """
    seed = _seed(rng)
    if len(np.unique(data.labels[data.labels != NO_LABEL])) < 2:
        return None
    parts = _parts(data, rng)
    return _compared(data, parts, config, seed) if parts else None


def _seed(rng: np.random.Generator) -> int:
    """Of each method and fold the same, whatever else is tried, and also when only one is fitted."""
    return int(rng.integers(2**63))


def _parts(data: TrainingData, rng: np.random.Generator) -> Parts:
    """(training rows, held-out rows): what only rules speak of is always learned from, and never asked."""
    people = np.flatnonzero(data.labels != NO_LABEL)
    return [
        (np.setdiff1d(np.arange(len(data.labels)), people[asked]), people[asked])
        for _, asked in folds(data.labels[people], FOLDS, rng)
    ]


def _compared(data: TrainingData, parts: Parts, config: Mapping[str, Any], seed: int) -> dict[str, Any]:
    tried, late = planned(data, positive(config, "seconds", SECONDS))
    found = []
    for entry in tried:
        data.tick(f"comparing {entry.title}")
        found.append(held_out(partial(_fit, entry, seed), data, parts))
    best = tried[int(np.argmax([one.likelihood for one in found]))]
    total = sum(len(asked) for _, asked in parts)
    scores = ", ".join(f"{m.title} {np.exp(one.likelihood):.3f}" for m, one in zip(tried, found, strict=True))
    why = f"{total} held-back labels are likeliest by it (mean probability: {scores})"
    why += f"; no time for {' and '.join(m.title for m in late)}" if late else ""
    return {"method": best.name, "labels": int((data.labels != NO_LABEL).sum()), "why": why}


def planned(data: TrainingData, seconds: float) -> tuple[list[Method], list[Method]]:
    """The methods that have what they need, transfer and then the quickest first: those that fit into the
    time, and the rest.
    """
    able = [
        m
        for m in METHODS.values()
        if m.name not in (NAME, ONE_EXAMPLE)
        and m.together is None
        and all(data.has(field) for field in m.needs)
    ]
    tried: list[Method] = []
    late: list[Method] = []
    each = fit_seconds(int((data.labels != NO_LABEL).sum()))
    count = 0 if data.unlabelled is None else len(data.unlabelled)
    spent = 0.0
    for entry in sorted(able, key=lambda m: (m.name != FALLBACK, m.unguarded, m.name)):
        takes = (FOLDS + 1) * (each * entry.unguarded + count * entry.open_seconds)
        if tried and spent + takes > seconds:
            late.append(entry)
            continue
        tried.append(entry)
        spent += takes
    return tried, late


def _fit(entry: Method, seed: int, data: TrainingData) -> Head:
    # What is compared here need not compare itself with anything.
    return entry.fit(data, {"guard": False}, np.random.default_rng(seed))
