"""The page on which an annotator answers."""

from typing import Any
from uuid import UUID

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import ensure_csrf_cookie

from labelling.models import Project, Question, User
from labelling.selectors import project_for, questions_of, role_of
from labelling.views.access import SignedInRequest

_KEYS = "1234567890"
_NO_UUID = UUID(int=0)


# The page's script sends the token from the cookie, so that it survives a new sign-in in another tab.
@method_decorator(ensure_csrf_cookie, name="dispatch")
class LabelView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest, slug: str) -> HttpResponse:
        project = project_for(request.user, slug)
        questions = questions_of(project)
        context = {
            "project": project,
            "role": role_of(request.user, project),
            "tab": "label",
            "questions": [_question(question) for question in questions],
            "page": _page(project, request.user, questions),
        }
        return render(request, "labelling/label.html", context)


def _question(question: Question) -> dict[str, Any]:
    labels = list(question.labels.all())
    keys = _keys([label.name for label in labels])
    return {
        "id": question.pk,
        "key": question.key,
        "prompt": question.prompt,
        "labels": [
            {"id": label.pk, "name": label.name, "key": key} for label, key in zip(labels, keys, strict=True)
        ],
    }


def _keys(names: list[str]) -> list[str]:
    """The key of each label: its place, but its name where every name is a digit: 3 means "3", not "2"."""
    if set(names) <= set(_KEYS):
        return names
    return [*_KEYS[: len(names)], *[""] * (len(names) - len(_KEYS))]


def _page(project: Project, user: User, questions: list[Question]) -> dict[str, Any]:
    """What the script needs to know once; each item then comes with the ids of its open questions only."""
    label_page = reverse("labelling:label", args=[project.slug])
    return {
        "annotator": user.pk,
        "leaseSeconds": project.lease_seconds,
        "scope": f"{user.pk}.{project.slug}",
        "questions": [_question(question) for question in questions],
        "next": reverse("labelling:api-next", args=[project.slug]),
        "annotations": reverse("labelling:api-annotations", args=[project.slug]),
        "undo": reverse("labelling:api-undo", args=[project.slug, _NO_UUID]),
        "noUuid": str(_NO_UUID),
        "login": f"{reverse('login')}?next={label_page}",
    }
