"""How often the challenger failed where clients were to get its answer. Each image's first time counts, and
none that the champion failed on too: it has no answer.
"""

from typing import Any

from serving.models import Arm, Rollout
from serving.selectors.truth import served

_FAILURES = """,
asked as (
    select distinct on (digest) status from served where arm in ('challenger', 'merged') and top <> '[]'
    order by digest, created_at
)
select count(*) filter (where status = 'ok') as answered, count(*) filter (where status = 'failed') as errors
from asked
"""


def failures_of(rollout: Rollout) -> dict[str, Any]:
    """Failures, as JSON."""
    [counts] = served(rollout, _FAILURES)
    return {**counts, "load_failed": bool(rollout.arms.get(name=Arm.CHALLENGER).load_error)}
