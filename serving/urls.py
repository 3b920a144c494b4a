from django.urls import path

from serving.api.feedback import FeedbackView
from serving.api.predict import PredictView
from serving.views.deployment import AutomaticView, DeploymentView, PromoteView
from serving.views.keys import KeyRevokeView, KeysView
from serving.views.panel import PanelView

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
    path("projects/<slug:slug>/keys/", KeysView.as_view(), name="keys"),
    path("projects/<slug:slug>/keys/<int:pk>/revoke", KeyRevokeView.as_view(), name="key-revoke"),
]
