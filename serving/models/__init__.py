from serving.models.access import ApiKey
from serving.models.deployment import Decision, Deployment
from serving.models.prediction import Feedback, Prediction

__all__ = ["ApiKey", "Decision", "Deployment", "Feedback", "Prediction"]
