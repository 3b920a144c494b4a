from django.urls import path

from learning.api.augmentation import AugmentationApiView, PoliciesApiView, PolicyApiView
from learning.api.learner import LearnerApiView
from learning.api.precision import PrecisionApiView
from learning.api.pretraining import PretrainingApiView
from learning.api.rules import RuleApiView, RulesApiView
from learning.api.training import TrainingApiView
from learning.views.augmentation import (
    AugmentationView,
    PoliciesView,
    PolicyPicturesView,
    PolicySearchView,
    PolicyView,
    RewardsView,
    TrialPicturesView,
)
from learning.views.learner import LearnerView
from learning.views.models import ArtifactView, JudgedView, ModelsView, ModelView
from learning.views.panel import CurveView, PanelView
from learning.views.pretraining import PretrainingView
from learning.views.rules import RuleCheckView, RulePreviewView, RulesView, RuleView

app_name = "learning"
urlpatterns = [
    path("projects/<slug:slug>/learning/panel/", PanelView.as_view(), name="panel"),
    path("projects/<slug:slug>/learning/curve.json", CurveView.as_view(), name="curve"),
    path("projects/<slug:slug>/learner/", LearnerView.as_view(), name="learner"),
    path("projects/<slug:slug>/learner/pretraining/", PretrainingView.as_view(), name="pretraining"),
    path("api/v1/projects/<slug:slug>/learner", LearnerApiView.as_view(), name="api-learner"),
    path("api/v1/projects/<slug:slug>/learner/training", TrainingApiView.as_view(), name="api-training"),
    path(
        "api/v1/projects/<slug:slug>/learner/pretraining",
        PretrainingApiView.as_view(),
        name="api-pretraining",
    ),
    path("projects/<slug:slug>/augmentation/", AugmentationView.as_view(), name="augmentation"),
    path("projects/<slug:slug>/augmentation/search/", PolicySearchView.as_view(), name="policy-search"),
    path("projects/<slug:slug>/augmentation/rewards.json", RewardsView.as_view(), name="policy-rewards"),
    path("projects/<slug:slug>/augmentation/policies/", PoliciesView.as_view(), name="policies"),
    path("projects/<slug:slug>/augmentation/policies/<int:pk>/", PolicyView.as_view(), name="policy"),
    path(
        "projects/<slug:slug>/augmentation/policies/<int:pk>/examples.png",
        PolicyPicturesView.as_view(),
        name="policy-examples",
    ),
    path(
        "projects/<slug:slug>/augmentation/trials/<int:pk>/examples.png",
        TrialPicturesView.as_view(),
        name="trial-examples",
    ),
    path("api/v1/projects/<slug:slug>/augmentation", AugmentationApiView.as_view(), name="api-augmentation"),
    path("api/v1/projects/<slug:slug>/augmentation/policies", PoliciesApiView.as_view(), name="api-policies"),
    path(
        "api/v1/projects/<slug:slug>/augmentation/policies/<int:pk>",
        PolicyApiView.as_view(),
        name="api-policy",
    ),
    path("projects/<slug:slug>/rules/", RulesView.as_view(), name="rules"),
    path("projects/<slug:slug>/rules/new/", RuleView.as_view(), name="rule-new"),
    path("projects/<slug:slug>/rules/<int:pk>/", RuleView.as_view(), name="rule"),
    path("projects/<slug:slug>/rules/preview/", RulePreviewView.as_view(), name="rule-preview"),
    path("projects/<slug:slug>/rules/checks/<int:pk>/", RuleCheckView.as_view(), name="rule-check"),
    path("api/v1/projects/<slug:slug>/rules", RulesApiView.as_view(), name="api-rules"),
    path("api/v1/projects/<slug:slug>/rules/<int:pk>", RuleApiView.as_view(), name="api-rule"),
    path(
        "api/v1/projects/<slug:slug>/models/<int:number>/precision",
        PrecisionApiView.as_view(),
        name="api-precision",
    ),
    path("projects/<slug:slug>/models/", ModelsView.as_view(), name="models"),
    path("projects/<slug:slug>/models/<int:number>/", ModelView.as_view(), name="model"),
    path(
        "projects/<slug:slug>/models/<int:number>/<int:truth>/<int:guess>/",
        JudgedView.as_view(),
        name="model-judged",
    ),
    path(
        "projects/<slug:slug>/models/<int:number>/<str:kind>", ArtifactView.as_view(), name="model-artifact"
    ),
]
