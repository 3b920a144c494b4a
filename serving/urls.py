from django.urls import path

from serving.api.deployment import AutomaticApiView, DeploymentApiView, PromotionApiView
from serving.api.feedback import FeedbackView
from serving.api.predict import PredictView
from serving.api.rollouts import RolloutActApiView, RolloutApiView, RolloutPointsApiView, RolloutsApiView
from serving.api.v2 import (
    V2InferOfView,
    V2InferView,
    V2ModelOfView,
    V2ModelView,
    V2ReadyOfView,
    V2ReadyView,
)
from serving.views.deployment import AutomaticView, DeploymentView, PromoteView, TrafficView
from serving.views.keys import KeyRevokeView, KeysView
from serving.views.panel import PanelView
from serving.views.rollout_new import RolloutNewView
from serving.views.rollouts import (
    RolloutActView,
    RolloutAuditView,
    RolloutPartView,
    RolloutsView,
    RolloutView,
)

app_name = "serving"
urlpatterns = [
    path("api/v1/projects/<slug:slug>/predict", PredictView.as_view(), name="predict"),
    path(
        "api/v1/projects/<slug:slug>/predictions/<str:prediction_id>/feedback",
        FeedbackView.as_view(),
        name="feedback",
    ),
    path("projects/<slug:slug>/serving/panel/", PanelView.as_view(), name="panel"),
    path("projects/<slug:slug>/deployment/", DeploymentView.as_view(), name="deployment"),
    path("projects/<slug:slug>/deployment/promote", PromoteView.as_view(), name="promote"),
    path("projects/<slug:slug>/deployment/automatic", AutomaticView.as_view(), name="automatic"),
    path("projects/<slug:slug>/deployment/traffic", TrafficView.as_view(), name="traffic"),
    path("projects/<slug:slug>/rollouts/", RolloutsView.as_view(), name="rollouts"),
    path("projects/<slug:slug>/rollouts/new/", RolloutNewView.as_view(), name="rollout-new"),
    path("projects/<slug:slug>/rollouts/<int:pk>/", RolloutView.as_view(), name="rollout"),
    path("projects/<slug:slug>/rollouts/<int:pk>/part/", RolloutPartView.as_view(), name="rollout-part"),
    path("projects/<slug:slug>/rollouts/<int:pk>/act", RolloutActView.as_view(), name="rollout-act"),
    path("projects/<slug:slug>/rollouts/<int:pk>/audit", RolloutAuditView.as_view(), name="rollout-audit"),
    path("api/v1/projects/<slug:slug>/deployment", DeploymentApiView.as_view(), name="api-deployment"),
    path("api/v1/projects/<slug:slug>/deployment/promote", PromotionApiView.as_view(), name="api-promote"),
    path(
        "api/v1/projects/<slug:slug>/deployment/automatic", AutomaticApiView.as_view(), name="api-automatic"
    ),
    path("api/v1/projects/<slug:slug>/rollouts", RolloutsApiView.as_view(), name="api-rollouts"),
    path("api/v1/projects/<slug:slug>/rollouts/<int:pk>", RolloutApiView.as_view(), name="api-rollout"),
    path(
        "api/v1/projects/<slug:slug>/rollouts/<int:pk>/points",
        RolloutPointsApiView.as_view(),
        name="api-rollout-points",
    ),
    path(
        "api/v1/projects/<slug:slug>/rollouts/<int:pk>/<str:act>",
        RolloutActApiView.as_view(),
        name="api-rollout-act",
    ),
    path("v2/models/<slug:slug>", V2ModelView.as_view(), name="v2-model"),
    path("v2/models/<slug:slug>/ready", V2ReadyView.as_view(), name="v2-ready"),
    path("v2/models/<slug:slug>/infer", V2InferView.as_view(), name="v2-infer"),
    path("v2/models/<slug:slug>/versions/<str:version>", V2ModelOfView.as_view(), name="v2-model-of"),
    path("v2/models/<slug:slug>/versions/<str:version>/ready", V2ReadyOfView.as_view(), name="v2-ready-of"),
    path("v2/models/<slug:slug>/versions/<str:version>/infer", V2InferOfView.as_view(), name="v2-infer-of"),
    path("projects/<slug:slug>/keys/", KeysView.as_view(), name="keys"),
    path("projects/<slug:slug>/keys/<int:pk>/revoke", KeyRevokeView.as_view(), name="key-revoke"),
]
