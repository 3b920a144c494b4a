"""Keeping what was answered, in one round trip."""

import json
from collections.abc import Sequence

from django.db import connection
from django.utils import timezone

from serving.models import Prediction

_INSERT = """
with fast as (select set_config('synchronous_commit', 'off', true))
insert into serving_prediction (
    id, project_id, api_key_id, model_version_id, request_id, digest,
    arm, propensity, status, rollout_id, phase, unit, bucket, audited, shadow_of, trace,
    top, decode_ms, infer_ms, created_at
)
select made.* from fast, (values """
_ROW = """(
    %s::uuid, %s::bigint, %s::bigint, %s::bigint, %s::uuid, %s::text,
    %s::text, %s::float8, %s::text, %s::bigint, %s::int, %s::text, %s::smallint, %s::bool, %s::uuid,
    %s::jsonb, %s::jsonb, %s::float8, %s::float8, %s::timestamptz
)"""


def predictions_store(*, predictions: Sequence[Prediction]) -> None:
    """Insert them all or none.

    The commit does not wait for the disk, which could cost more than the prediction: a killed web process
    loses nothing; a crash of the database's machine may lose the last half second. Feedback commits after
    its prediction in the same log, so none survives without it.
    """
    now = timezone.now()
    values = [
        value
        for row in predictions
        for value in (
            *(row.id, row.project_id, row.api_key_id, row.model_version_id, row.request_id, row.digest),
            *(row.arm, row.propensity, row.status, row.rollout_id, row.phase, row.unit, row.bucket),
            *(row.audited, row.shadow_of, None if row.trace is None else json.dumps(row.trace)),
            *(json.dumps(row.top), row.decode_ms, row.infer_ms, now),
        )
    ]
    statement = "".join((_INSERT, ", ".join([_ROW] * len(predictions)), ") as made"))
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
