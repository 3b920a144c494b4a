from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views import View

from labelling.forms import FurtherQuestionForm, take_errors
from labelling.models import Membership, Project
from labelling.selectors import project_for, questions_of, role_of
from labelling.services.questions import question_add
from labelling.views.access import SignedInRequest


class QuestionsView(LoginRequiredMixin, View):
    """What the project asks; a form adds a further question."""

    def get(self, request: SignedInRequest, slug: str) -> HttpResponse:
        return self._page(
            request, project_for(request.user, slug, Membership.Role.MANAGER), FurtherQuestionForm()
        )

    def post(self, request: SignedInRequest, slug: str) -> HttpResponse:
        project = project_for(request.user, slug, Membership.Role.MANAGER)
        form = FurtherQuestionForm(request.POST)
        if form.is_valid():
            try:
                question = question_add(project=project, **form.cleaned_data)
            except ValidationError as error:
                take_errors(form, error)
            else:
                messages.success(request, f"“{question.prompt}” is asked of every image from now on.")
                return redirect("labelling:questions", slug)
        return self._page(request, project, form)

    def _page(self, request: SignedInRequest, project: Project, form: FurtherQuestionForm) -> HttpResponse:
        context = {
            "project": project,
            "role": role_of(request.user, project),
            "tab": "settings",
            "form": form,
            "questions": questions_of(project),
        }
        return render(request, "labelling/questions.html", context, status=422 if form.errors else 200)
