"""The part of the learner's page that pretrains a backbone; asks for itself again while one is learned."""

from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import render
from django.views import View

from labelling.models import Membership, Project
from labelling.selectors import project_for
from labelling.services.workers import workers_seen
from labelling.views.access import SignedInRequest
from learning.core.pretraining import PRETRAININGS
from learning.models import Work
from learning.selectors import newest_pretraining, worker_words
from learning.services.pretraining import pretraining_end, pretraining_request


class PretrainingView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest, slug: str) -> HttpResponse:
        return self._part(request, project_for(request.user, slug, Membership.Role.MANAGER))

    def post(self, request: SignedInRequest, slug: str) -> HttpResponse:
        """Begin with `method`, or, with `action=end`, end what is under way."""
        project = project_for(request.user, slug, Membership.Role.MANAGER)
        if request.POST.get("action") == "end":
            if run := newest_pretraining(project):
                pretraining_end(run=run)
            return self._part(request, project)
        try:
            pretraining_request(project=project, method=request.POST.get("method", ""))
        except ValidationError as error:
            return self._part(request, project, error.messages[0])
        return self._part(request, project)

    def _part(self, request: SignedInRequest, project: Project, error: str = "") -> HttpResponse:
        run = newest_pretraining(project)
        live = run is not None and run.state in (Work.State.QUEUED, Work.State.RUNNING)
        context = {
            "project": project,
            "run": run,
            "live": live,
            "title": PRETRAININGS[run.method].title if run and run.method in PRETRAININGS else "",
            "ways": PRETRAININGS.values(),
            "error": error,
            "worker": worker_words(workers_seen()) if live else "",
        }
        return render(request, "learning/pretraining.html", context)
