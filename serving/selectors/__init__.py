"""Reads."""

from serving.selectors.answering import (
    RolloutPlan,
    Wanted,
    answering_of,
    answering_text,
    champions_answering,
)
from serving.selectors.drift import (
    Drifted,
    SentImage,
    drift_now,
    drift_references,
    drift_windows,
    images_sent,
)
from serving.selectors.held_up import held_up
from serving.selectors.live_accuracy import LiveAccuracy, live_accuracy
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
    unsure_since,
    wanted_of,
)
from serving.selectors.rollouts import (
    challengers_of,
    champion_slow_ms,
    failures_of,
    lists_told,
    rollout_decisions,
    rollout_points,
    rollouts_of,
    split_now,
    traffic_policy,
    trouble_of,
)

__all__ = [
    "Drifted",
    "LiveAccuracy",
    "RolloutPlan",
    "SentImage",
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
    "drift_now",
    "drift_references",
    "drift_windows",
    "failures_of",
    "held_up",
    "images_sent",
    "keys_of",
    "lists_told",
    "live_accuracy",
    "rollout_decisions",
    "rollout_points",
    "rollouts_of",
    "sample_item",
    "split_now",
    "traffic_of",
    "traffic_policy",
    "trouble_of",
    "unsure_since",
    "versions_of",
    "wanted_of",
]
