from serving.models.access import ApiKey, Scope
from serving.models.deployment import Decision, Deployment
from serving.models.drift import DriftReference, DriftWindow
from serving.models.offer import Offer
from serving.models.prediction import UNANSWERED, Feedback, Prediction
from serving.models.rollout import Arm, EvidencePoint, Rollout, UnitCounts, UnitsCounted
from serving.models.traffic import TrafficPolicy

__all__ = [
    "UNANSWERED",
    "ApiKey",
    "Arm",
    "Decision",
    "Deployment",
    "DriftReference",
    "DriftWindow",
    "EvidencePoint",
    "Feedback",
    "Offer",
    "Prediction",
    "Rollout",
    "Scope",
    "TrafficPolicy",
    "UnitCounts",
    "UnitsCounted",
]
