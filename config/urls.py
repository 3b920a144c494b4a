from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from config import health
from config.metrics import metrics

handler404 = "config.errors.not_found"
urlpatterns = [
    # First, for predictions are in it: to look through all others takes longer than to read a key.
    path("", include("serving.urls")),
    path("admin/", admin.site.urls),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("api/v1/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/v1/docs", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="api-docs"),
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("metrics", metrics, name="metrics"),
    path("v2", health.v2_server, name="v2-server"),
    path("v2/health/live", health.v2_live, name="v2-live"),
    path("v2/health/ready", health.v2_ready, name="v2-ready"),
    path("", include("learning.urls")),
    path("", include("labelling.urls")),
]
