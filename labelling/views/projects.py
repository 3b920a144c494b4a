"""The list of projects, a new one, one project's overview and its settings."""

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import PermissionDenied, ValidationError
from django.forms import model_to_dict
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views import View

from labelling.forms import ProjectForm, ProjectSettingsForm, take_errors
from labelling.models import Membership, Project, User
from labelling.selectors import label_counts, project_for, projects_of, role_of
from labelling.services.projects import project_create, project_update, slug_for
from labelling.views.access import SignedInRequest


class ProjectsView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest) -> HttpResponse:
        user = request.user
        cards = [_card(user, project) for project in projects_of(user)]
        return render(request, "labelling/projects.html", {"cards": cards, "may_create": _may_create(user)})


class ProjectNewView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest) -> HttpResponse:
        return self._page(request, ProjectForm())

    def post(self, request: SignedInRequest) -> HttpResponse:
        user = _creator(request)
        form = ProjectForm(request.POST)
        if form.is_valid():
            try:
                project = project_create(
                    slug=slug_for(form.cleaned_data["name"]), manager=user, **form.cleaned_data
                )
            except ValidationError as error:
                take_errors(form, error)
            else:
                messages.success(request, f"{project.name} is made. Now import its images.")
                return redirect("labelling:imports", project.slug)
        return self._page(request, form)

    def _page(self, request: SignedInRequest, form: ProjectForm) -> HttpResponse:
        _creator(request)
        status = 422 if form.errors else 200
        return render(request, "labelling/project_new.html", {"form": form}, status=status)


class ProjectView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest, slug: str) -> HttpResponse:
        user = request.user
        project = project_for(user, slug)
        context = {"project": project, "role": role_of(user, project), "tab": "overview"}
        return render(request, "labelling/project.html", context)


class ProjectSettingsView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest, slug: str) -> HttpResponse:
        return self._page(request, slug, None)

    def post(self, request: SignedInRequest, slug: str) -> HttpResponse:
        return self._page(request, slug, request.POST)

    def _page(self, request: SignedInRequest, slug: str, sent: QueryDict | None) -> HttpResponse:
        user = request.user
        project = project_for(user, slug, Membership.Role.MANAGER)
        form = ProjectSettingsForm(sent, initial=model_to_dict(project))
        if form.is_valid():
            try:
                project_update(project=project, **form.cleaned_data)
            except ValidationError as error:
                take_errors(form, error)
            else:
                messages.success(request, "The settings are saved.")
                return redirect("labelling:project-settings", project.slug)
        context = {
            "project": project,
            "role": role_of(user, project),
            "tab": "settings",
            "form": form,
            "holdout_percent": f"{project.holdout_share:.0%}",
        }
        return render(request, "labelling/project_settings.html", context, status=422 if form.errors else 200)


def _card(user: User, project: Project) -> dict[str, object]:
    counts = label_counts(project)
    return {
        "project": project,
        "role": role_of(user, project),
        "counts": counts,
        "labels": counts.pool + counts.holdout,
    }


def _creator(request: SignedInRequest) -> User:
    """The signed-in person, if they may make projects."""
    if not _may_create(request.user):
        raise PermissionDenied("Only staff may make projects: ask the person who runs this server.")
    return request.user


def _may_create(user: User) -> bool:
    return user.is_staff or user.is_superuser
