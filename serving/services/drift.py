"""Have the images that clients send left what the model was trained on? Its answers tell."""

from collections import Counter

import numpy as np
from django.db import transaction

from labelling.models import Wanted
from labelling.selectors import pool_sample
from labelling.services.wanted import items_want
from learning.models import ModelVersion
from learning.services.artifacts import predictor_load
from learning.services.pool_embeddings import embeddings_open
from learning.services.snapshots import rows_of
from serving.core.statistics.drift import ALPHA, WINDOW, answers_drift
from serving.models import Deployment, DriftWindow
from serving.selectors import window_of

POOL_IMAGES = 5_000
SAMPLES = 20
REASON = "The images that clients send have drifted from the project's own."


def drift_look(*, deployment: Deployment) -> DriftWindow | None:
    """Look at the champion's next window of different images, once it is full."""
    champion = deployment.champion
    window = window_of(deployment, WINDOW) if champion else []
    if champion is None or len(window) < WINDOW:
        return None
    pool = _pool_answers(champion)
    if not pool:
        return None  # its features are gone: the project has gone on to others
    live = dict(Counter(one.guess for one in window))
    found = answers_drift(pool, live)
    drifted = found.p < ALPHA
    with transaction.atomic():
        looked = DriftWindow.objects.create(
            deployment=deployment,
            model_version=champion,
            pool=pool,
            live=live,
            p=found.p,
            size=found.size,
            drifted=drifted,
            ended_at=max(one.created_at for one in window),
        )
        if drifted:
            digests = [one.digest for one in window[:: WINDOW // SAMPLES]]
            items_want(project=deployment.project, digests=digests, kind=Wanted.Kind.TRAFFIC, reason=REASON)
    return looked


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
