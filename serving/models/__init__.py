from serving.models.access import ApiKey
from serving.models.deployment import Decision, Deployment
from serving.models.prediction import Feedback, Prediction
from serving.models.rollout import Arm, EvidencePoint, Rollout
from serving.models.traffic import TrafficPolicy

__all__ = [
    "ApiKey",
    "Arm",
    "Decision",
    "Deployment",
    "EvidencePoint",
    "Feedback",
    "Prediction",
    "Rollout",
    "TrafficPolicy",
]
