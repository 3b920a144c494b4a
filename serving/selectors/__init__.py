"""Reads."""

from serving.selectors.answering import (
    RolloutPlan,
    Wanted,
    answering_of,
    answering_text,
    champions_answering,
)
from serving.selectors.pages import (
    Traffic,
    champion_decision,
    decisions_of,
    deployment_of,
    deployments_of,
    keys_of,
    sample_item,
    traffic_of,
    versions_of,
)
from serving.selectors.production import (
    disagreed_since,
    drawn_since,
    drift_words,
    unsure_since,
    wanted_of,
    window_of,
)
from serving.selectors.rollouts import (
    challengers_of,
    champion_slow_ms,
    failures_of,
    rollout_decisions,
    rollout_points,
    rollouts_of,
    split_now,
    traffic_policy,
)

__all__ = [
    "RolloutPlan",
    "Traffic",
    "Wanted",
    "answering_of",
    "answering_text",
    "challengers_of",
    "champion_decision",
    "champion_slow_ms",
    "champions_answering",
    "decisions_of",
    "deployment_of",
    "deployments_of",
    "disagreed_since",
    "drawn_since",
    "drift_words",
    "failures_of",
    "keys_of",
    "rollout_decisions",
    "rollout_points",
    "rollouts_of",
    "sample_item",
    "split_now",
    "traffic_of",
    "traffic_policy",
    "unsure_since",
    "versions_of",
    "wanted_of",
    "window_of",
]
