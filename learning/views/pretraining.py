"""The part of the learner's page that pretrains a backbone; asks for itself again while one is learned."""

from collections.abc import Mapping

from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import render
from django.views import View

from labelling.models import Membership, Project
from labelling.selectors import project_for
from labelling.services.workers import workers_seen
from labelling.views.access import SignedInRequest
from learning.core.pretraining import PRETRAININGS, Pretraining
from learning.models import PretrainingRun, Work
from learning.selectors import learner_of, newest_pretraining, worker_words
from learning.services.features import BY_ITSELF
from learning.services.lessons import lessons_lacking
from learning.services.pretraining import pretraining_end, pretraining_request
from learning.views.batch_plot import batch_plots


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
            pretraining_request(
                project=project,
                method=request.POST.get("method", ""),
                minutes=_minutes(request.POST.get("minutes", "")),
                batch=_batch(request.POST.get("batch", "")),
            )
        except ValidationError as error:
            return self._part(request, project, error.messages[0], typed=request.POST, status=422)
        return self._part(request, project)

    def _part(
        self,
        request: SignedInRequest,
        project: Project,
        error: str = "",
        typed: Mapping[str, object] | None = None,
        status: int = 200,
    ) -> HttpResponse:
        run = newest_pretraining(project)
        live = run is not None and run.state in (Work.State.QUEUED, Work.State.RUNNING)
        learner = learner_of(project)
        context = {
            "project": project,
            "run": run,
            "used": run is not None and learner is not None and learner.backbone == run.backbone,
            "live": live,
            "title": _title(run) if run else "",
            "stage": _stage(run) if run else "",
            "ways": [_way(project, way) for way in PRETRAININGS.values()],
            "plots": batch_plots(run) if run else [],
            "error": error,
            "typed": typed or {"method": BY_ITSELF},
            "worker": worker_words(workers_seen()) if live else "",
        }
        return render(request, "learning/pretraining.html", context, status=status)


def _title(run: PretrainingRun) -> str:
    way = PRETRAININGS.get(run.method)
    return way.title if way else "By itself"


def _stage(run: PretrainingRun) -> str:
    """Its ways name themselves in it, which a run of one way has done already."""
    return run.stage.removeprefix(f"{_title(run)}: ")


def _way(project: Project, way: Pretraining) -> dict[str, object]:
    lacking = lessons_lacking(project=project, way=way)
    return {"name": way.name, "title": way.title, "summary": way.summary, "lacking": lacking}


def _minutes(sent: str) -> float | None:
    """None when the field was left empty."""
    if not sent.strip():
        return None
    try:
        return float(sent)
    except ValueError:
        raise ValidationError(f"'{sent[:20]}' is not a number of minutes.") from None


def _batch(sent: str) -> int | None:
    """None when the field was left empty."""
    if not sent.strip():
        return None
    try:
        return int(sent)
    except ValueError:
        raise ValidationError(f"'{sent[:20]}' is not a number of images.") from None
