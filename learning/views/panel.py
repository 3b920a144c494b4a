"""The learning side's part of a project's overview, fetched again every two seconds."""

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views import View

from labelling.models import Membership, Project
from labelling.selectors import project_for, role_of
from labelling.services.workers import workers_seen
from labelling.views.access import SignedInRequest
from learning.models import Learner
from learning.selectors import activity, asking, curve, learners_of, newest_version, worker_words
from learning.services.runs import trainings_end
from learning.views.words import accuracy_of, unmeasured


class PanelView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest, slug: str) -> HttpResponse:
        return self._panel(request, project_for(request.user, slug))

    def post(self, request: SignedInRequest, slug: str) -> HttpResponse:
        """End the training under way."""
        project = project_for(request.user, slug, Membership.Role.MANAGER)
        trainings_end(project=project)
        return self._panel(request, project)

    def _panel(self, request: SignedInRequest, project: Project) -> HttpResponse:
        learners = learners_of(project)
        first = learners[0] if learners else None
        version = newest_version(first)
        context = {
            "project": project,
            "role": role_of(request.user, project),
            "learner": first,
            "version": version,
            "accuracy": accuracy_of(version) if version else None,
            "unmeasured": unmeasured(project),
            "further": [_figures(one) for one in learners[1:]],
            "asking": asking(project),
            "activity": activity(project, first),
            "worker": worker_words(workers_seen()),
        }
        return render(request, "learning/panel.html", context)


class CurveView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest, slug: str) -> JsonResponse:
        """The points above version `?after=`, so that a page asks only for what is new to it; the
        target, and how the newest version's curve is expected to go on.

        Of the question with the key `?question=`, or of the first."""
        project = project_for(request.user, slug)
        after = request.GET.get("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) < 10):
            return JsonResponse({"error": f"after={after[:20]!r} is not a version number."}, status=400)
        learners = {one.question.key: one for one in learners_of(project)}
        key = request.GET.get("question") or next(iter(learners), None)
        learner = learners.get(key) if key else None
        if learners and learner is None:
            return JsonResponse({"error": f"There is no question '{str(key)[:40]}'."}, status=400)
        return JsonResponse(
            {
                "points": curve(learner, int(after)),
                "target": learner.target if learner else None,
                "forecast": learner.outlook.get("forecast", []) if learner else [],
            }
        )


def _figures(learner: Learner) -> dict[str, object]:
    """A further question's, shown below the first one's."""
    version = newest_version(learner)
    return {
        "learner": learner,
        "version": version,
        "accuracy": accuracy_of(version) if version else None,
        "error": activity(learner.project, learner).error,
    }
