from django.urls import path

from learning.api.learner import LearnerApiView
from learning.api.pretraining import PretrainingApiView
from learning.api.rules import RuleApiView, RulesApiView
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
    path(
        "api/v1/projects/<slug:slug>/learner/pretraining",
        PretrainingApiView.as_view(),
        name="api-pretraining",
    ),
    path("projects/<slug:slug>/rules/", RulesView.as_view(), name="rules"),
    path("projects/<slug:slug>/rules/new/", RuleView.as_view(), name="rule-new"),
    path("projects/<slug:slug>/rules/<int:pk>/", RuleView.as_view(), name="rule"),
    path("projects/<slug:slug>/rules/preview/", RulePreviewView.as_view(), name="rule-preview"),
    path("projects/<slug:slug>/rules/checks/<int:pk>/", RuleCheckView.as_view(), name="rule-check"),
    path("api/v1/projects/<slug:slug>/rules", RulesApiView.as_view(), name="api-rules"),
    path("api/v1/projects/<slug:slug>/rules/<int:pk>", RuleApiView.as_view(), name="api-rule"),
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
