from learning.models.choice import MethodChoice
from learning.models.embedding import EmbeddingShard
from learning.models.lane import Lane
from learning.models.learner import Learner
from learning.models.policy import AugmentationPolicy, PolicySearch, PolicyTrial
from learning.models.pretraining import PretrainingRun
from learning.models.quantised import QuantisedBackbone, QuantisedExport
from learning.models.rule import Rule, RuleCheck
from learning.models.run import ModelVersion, Round, TrainingRun
from learning.models.search import Search, SearchPart
from learning.models.work import Work

__all__ = [
    "AugmentationPolicy",
    "EmbeddingShard",
    "Lane",
    "Learner",
    "MethodChoice",
    "ModelVersion",
    "PolicySearch",
    "PolicyTrial",
    "PretrainingRun",
    "QuantisedBackbone",
    "QuantisedExport",
    "Round",
    "Rule",
    "RuleCheck",
    "Search",
    "SearchPart",
    "TrainingRun",
    "Work",
]
