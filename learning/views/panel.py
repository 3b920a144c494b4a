"""The learning side's part of a project's overview, fetched again every two seconds."""

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views import View

from labelling.selectors import project_for, role_of
from labelling.services.workers import workers_seen
from labelling.views.access import SignedInRequest
from learning.selectors import activity, asking, curve, learner_of, newest_version, worker_words
from learning.views.words import accuracy_of, unmeasured


class PanelView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest, slug: str) -> HttpResponse:
        project = project_for(request.user, slug)
        learner = learner_of(project)
        version = newest_version(project)
        context = {
            "project": project,
            "role": role_of(request.user, project),
            "learner": learner,
            "version": version,
            "accuracy": accuracy_of(version) if version else None,
            "unmeasured": unmeasured(project),
            "asking": asking(project),
            "activity": activity(project, learner),
            "worker": worker_words(workers_seen()),
        }
        return render(request, "learning/panel.html", context)


class CurveView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest, slug: str) -> JsonResponse:
        """The points above version `?after=`, so that a page asks only for what is new to it; the
        target, and how the newest version's curve is expected to go on."""
        project = project_for(request.user, slug)
        after = request.GET.get("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) < 10):
            return JsonResponse({"error": f"after={after[:20]!r} is not a version number."}, status=400)
        learner = learner_of(project)
        return JsonResponse(
            {
                "points": curve(project, int(after)),
                "target": learner.target if learner else None,
                "forecast": learner.outlook.get("forecast", []) if learner else [],
            }
        )
