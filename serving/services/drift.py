"""Have the images that clients send left what the model was trained on? They and its answers tell."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from django.db import transaction
from numpy.typing import NDArray

from labelling.models import Item, Project, Wanted
from labelling.selectors import pool_sample
from labelling.services.wanted import items_want
from learning.models import ModelVersion
from learning.services.artifacts import predictor_load
from learning.services.pool_embeddings import embeddings_open
from learning.services.snapshots import rows_of
from serving.core.statistics.drift import NOTICED, WINDOW, Drift, answers_drift
from serving.core.statistics.input_drift import inputs_drift
from serving.models import Deployment, DriftWindow
from serving.selectors import SentImage, drift_references, images_sent
from serving.services.input_places import place_read
from serving.services.loaded import LoadedReference
from serving.services.stored_references import reference_load

POOL_IMAGES = 5_000
SAMPLES = 20
LEAST_COMPARED = 0.2  # of a window: fewer came while a reference was made
REASON = "The images that clients send have drifted from the project's own."


def drift_look(*, deployment: Deployment) -> DriftWindow | None:
    """Look at the next window of different images, once it is full: how they look, and what is answered."""
    champion = deployment.champion
    if champion is None:
        return None
    references = [one for digest in drift_references(deployment) if (one := reference_load(digest))]
    window = images_sent(deployment, WINDOW, [one.mark for one in references])
    pool = _pool_answers(champion) if len(window) == WINDOW else {}
    if not pool:
        return None  # it is not full, or its features are gone: the project has gone on to others
    live = dict(Counter(one.guess for one in window if one.guess))
    # One seed: the same window gives the same p again.
    answers = answers_drift(pool, live, np.random.default_rng(0))
    reference, inputs = _inputs(window, references)
    answers_drifted, inputs_drifted = answers.p < NOTICED, inputs.p < NOTICED
    compared = reference is not None
    with transaction.atomic():
        looked = DriftWindow.objects.create(
            deployment=deployment,
            model_version=champion,
            pool=pool,
            live=live,
            p=answers.p,
            size=answers.size,
            reference=reference.digest if reference else "",
            compared=inputs.n,
            inputs_p=inputs.p if compared else None,
            inputs_size=inputs.size,
            answers_drifted=answers_drifted,
            inputs_drifted=inputs_drifted,
            drifted=answers_drifted or inputs_drifted,
            began_at=window[0].created_at,
            ended_at=window[-1].created_at,
        )
        if looked.drifted:
            _ask(deployment.project, window)
    return looked


def _inputs(
    window: Sequence[SentImage], references: Sequence[LoadedReference]
) -> tuple[LoadedReference | None, Drift]:
    """By the one that most images were compared with: float32 and int8 may both have answered in a window.
    None where that were too few.
    """
    found = [(one, _places(window, one)) for one in references]
    reference, places = max(found, key=lambda one: len(one[1]), default=(None, []))
    if reference is None or len(places) < LEAST_COMPARED * WINDOW:
        return None, Drift(1.0, None, 0)
    return reference, inputs_drift(np.stack(places), reference.inputs, np.random.default_rng(0))


def _places(window: Sequence[SentImage], reference: LoadedReference) -> list[NDArray[np.float32]]:
    read = (place_read(one.place, reference) for one in window if one.place)
    return [place for place in read if place is not None]


def _ask(project: Project, window: Sequence[SentImage]) -> None:
    """Of those that the project has by now, some from all of the window's time."""
    digests = [one.digest for one in window]
    had = set(
        Item.objects.filter(project=project, digest__in=digests, open=True).values_list("digest", flat=True)
    )
    kept = [digest for digest in digests if digest in had]
    chosen = kept[:: max(1, -(-len(kept) // SAMPLES))]
    items_want(project=project, digests=chosen, kind=Wanted.Kind.TRAFFIC, reason=REASON)


def _pool_answers(version: ModelVersion) -> dict[str, int]:
    """How often the version gives each label to images of the pool; empty if they are not embedded for it."""
    embeddings = embeddings_open(project=version.project, backbone=version.backbone)
    ids = np.array(sorted(pool_sample(version.project, POOL_IMAGES)), np.int64)
    rows = rows_of(ids, embeddings.ids)
    rows = rows[rows >= 0]
    if not len(rows):
        return {}
    predictor = predictor_load(version=version)
    guesses = predictor.predict_features(embeddings.take(rows)).argmax(axis=1)
    counts = np.bincount(guesses, minlength=len(predictor.classes))
    return {label: int(n) for label, n in zip(predictor.classes, counts, strict=True) if n}
