from django.urls import path

from labelling.api.annotations import AnnotationsView, UndoView
from labelling.api.imports import ImportApiView, LabelImportsView
from labelling.api.leases import LeasesView
from labelling.views.export import ExportView
from labelling.views.imports import ImportsView, ImportView
from labelling.views.items import ItemImageView
from labelling.views.label import LabelView
from labelling.views.members import MembersView
from labelling.views.panel import PanelView
from labelling.views.projects import (
    ProjectNewView,
    ProjectSettingsView,
    ProjectsView,
    ProjectView,
    QuestionNewView,
)
from labelling.views.questions import QuestionsView

app_name = "labelling"
urlpatterns = [
    path("", ProjectsView.as_view(), name="projects"),
    path("projects/new/", ProjectNewView.as_view(), name="project-new"),
    path("projects/new/question/", QuestionNewView.as_view(), name="question-new"),
    path("projects/<slug:slug>/", ProjectView.as_view(), name="project"),
    path("projects/<slug:slug>/panel/", PanelView.as_view(), name="panel"),
    path("projects/<slug:slug>/label/", LabelView.as_view(), name="label"),
    path("projects/<slug:slug>/items/<int:pk>/image", ItemImageView.as_view(), name="item-image"),
    path("projects/<slug:slug>/export/<str:file>", ExportView.as_view(), name="export"),
    path("projects/<slug:slug>/imports/", ImportsView.as_view(), name="imports"),
    path("projects/<slug:slug>/imports/<int:pk>/", ImportView.as_view(), name="import"),
    path("projects/<slug:slug>/members/", MembersView.as_view(), name="members"),
    path("projects/<slug:slug>/questions/", QuestionsView.as_view(), name="questions"),
    path("projects/<slug:slug>/settings/", ProjectSettingsView.as_view(), name="project-settings"),
    path("api/v1/projects/<slug:slug>/labels", LabelImportsView.as_view(), name="api-labels"),
    path("api/v1/projects/<slug:slug>/imports/<int:pk>", ImportApiView.as_view(), name="api-import"),
    path("api/v1/projects/<slug:slug>/leases", LeasesView.as_view(), name="api-next"),
    path("api/v1/projects/<slug:slug>/annotations", AnnotationsView.as_view(), name="api-annotations"),
    path("api/v1/projects/<slug:slug>/annotations/<uuid:uuid>/undo", UndoView.as_view(), name="api-undo"),
]
