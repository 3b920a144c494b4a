"""The list of projects, a new one, one project's overview and its settings."""

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.forms import model_to_dict
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views import View

from labelling.forms import (
    FurtherQuestionForm,
    ProjectForm,
    ProjectSettingsForm,
    further_forms,
    take_errors,
)
from labelling.models import Membership, Project, User
from labelling.selectors import label_counts, project_for, projects_of, role_of
from labelling.services.projects import project_create, project_update, slug_for
from labelling.services.questions import question_add
from labelling.views.access import SignedInRequest


class ProjectsView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest) -> HttpResponse:
        user = request.user
        cards = [_card(user, project) for project in projects_of(user)]
        return render(request, "labelling/projects.html", {"cards": cards, "may_create": _may_create(user)})


class ProjectNewView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest) -> HttpResponse:
        return self._page(request, ProjectForm(), [])

    def post(self, request: SignedInRequest) -> HttpResponse:
        user = _creator(request)
        form, further = ProjectForm(request.POST), further_forms(request.POST)
        # Each is looked at, so that all mistakes are told at once.
        valid = [one.is_valid() for one in (form, *further)]
        if all(valid):
            project = _made(user, form, further)
            if project is not None:
                messages.success(request, f"{project.name} is made. Now import its images.")
                return redirect("labelling:imports", project.slug)
        return self._page(request, form, further)

    def _page(
        self, request: SignedInRequest, form: ProjectForm, further: list[FurtherQuestionForm]
    ) -> HttpResponse:
        _creator(request)
        status = 422 if any(one.errors for one in (form, *further)) else 200
        context = {"form": form, "further": further}
        return render(request, "labelling/project_new.html", context, status=status)


class QuestionNewView(LoginRequiredMixin, View):
    """The fields of one more question, for the new project's form."""

    def get(self, request: SignedInRequest) -> HttpResponse:
        number = sum(name.startswith("further-") and name.endswith("-prompt") for name in request.GET)
        return render(
            request, "labelling/question_new.html", {"further": further_forms(request.GET, more=1)[number:]}
        )


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


def _made(user: User, form: ProjectForm, further: list[FurtherQuestionForm]) -> Project | None:
    """The project with all its questions; None, and the forms say why, if it cannot be."""
    asking: ProjectForm | FurtherQuestionForm = form
    try:
        with transaction.atomic():
            project = project_create(
                slug=slug_for(form.cleaned_data["name"]), manager=user, **form.cleaned_data
            )
            for asking in further:
                if asking.cleaned_data:
                    question_add(project=project, **asking.cleaned_data)
    except ValidationError as error:
        take_errors(asking, error)
        return None
    return project


def _card(user: User, project: Project) -> dict[str, object]:
    counts = label_counts(project)
    return {
        "project": project,
        "role": role_of(user, project),
        "counts": counts,
    }


def _creator(request: SignedInRequest) -> User:
    """The signed-in person, if they may make projects."""
    if not _may_create(request.user):
        raise PermissionDenied("Only staff may make projects: ask the person who runs this server.")
    return request.user


def _may_create(user: User) -> bool:
    return user.is_staff or user.is_superuser
