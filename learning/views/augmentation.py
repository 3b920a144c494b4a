"""The page of a project's augmentation: what is in use, the search for a policy, and what was found."""

import json
from collections.abc import Iterable

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views import View

from labelling.models import Membership, Project
from labelling.selectors import project_for, role_of
from labelling.services.workers import workers_seen
from labelling.views.access import SignedInRequest
from learning.core.augmentation import policy_from
from learning.core.policy_search import SEARCHES
from learning.core.shown import shown
from learning.models import PolicySearch, PolicyTrial
from learning.policy_forms import PolicySearchForm
from learning.policy_selectors import (
    augmentations_of,
    best_trials,
    newest_policy_search,
    policies_of,
    policy_of,
    rewards_of,
    search_progress,
)
from learning.selectors import learner_of, worker_words
from learning.services.learners import learner_update
from learning.services.policies import MOST_BYTES, policy_delete, policy_export, policy_import
from learning.services.policy_search import (
    LIVE,
    policy_search_end,
    policy_search_pause,
    policy_search_request,
    policy_search_resume,
)
from learning.views.words import percent, time_words

ACTS = {"pause": policy_search_pause, "resume": policy_search_resume, "end": policy_search_end}
USES = ("use", "delete")


class AugmentationView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest, slug: str) -> HttpResponse:
        return _page(request, _project(request, slug), PolicySearchForm())

    def post(self, request: SignedInRequest, slug: str) -> HttpResponse:
        """Begin a search."""
        project = _project(request, slug)
        form = PolicySearchForm(request.POST)
        if form.is_valid():
            try:
                policy_search_request(
                    project=project, config=form.config(), minutes=form.cleaned_data["minutes"]
                )
            except ValidationError as error:
                form.add_error(None, error)
            else:
                return redirect("learning:augmentation", slug)
        return _page(request, project, form, status=422)


class PolicySearchView(LoginRequiredMixin, View):
    """The part of the page that moves: it asks for itself again while a search is under way."""

    def get(self, request: SignedInRequest, slug: str) -> HttpResponse:
        context = _search_context(_project(request, slug))
        # The rest of the page does not renew itself.
        return render(request, "learning/policy_search.html", {**context, "ended": not context["live"]})

    def post(self, request: SignedInRequest, slug: str) -> HttpResponse:
        """Pause, resume or end what is under way."""
        project = _project(request, slug)
        search, act = newest_policy_search(project), ACTS.get(request.POST.get("action", ""))
        if search and act:
            act(search=search)
        context = _search_context(project)
        told = {"ended": not context["live"], "error": "" if act else _no_action(request, ACTS)}
        return render(request, "learning/policy_search.html", {**context, **told}, status=200 if act else 422)


class RewardsView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest, slug: str) -> JsonResponse:
        """The rewards of the newest search, and their moving average."""
        search = newest_policy_search(_project(request, slug))
        return JsonResponse({"search": search.pk if search else None, "points": rewards_of(search)})


class PoliciesView(LoginRequiredMixin, View):
    def post(self, request: SignedInRequest, slug: str) -> HttpResponse:
        """Import an exported policy, a JSON file."""
        project = _project(request, slug)
        try:
            kept, new = policy_import(project=project, data=_sent(request))
        except ValidationError as error:
            messages.error(request, error.messages[0])
        else:
            here = "is kept" if new else "was here already, under this name"
            messages.success(request, f"The policy {kept.name} {here}. Use it when you like.")
        return redirect("learning:augmentation", slug)


class PolicyView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
        """Export it."""
        kept = policy_of(_project(request, slug), pk)
        data = json.dumps(policy_export(policy=kept), indent=1)
        response = HttpResponse(data, content_type="application/json")
        response["Content-Disposition"] = f'attachment; filename="{slug}-policy-{kept.digest[:8]}.json"'
        return response

    def post(self, request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
        """Use it from now on, or delete it."""
        project = _project(request, slug)
        kept, action = policy_of(project, pk), request.POST.get("action", "")
        if action not in USES:
            messages.error(request, _no_action(request, USES))
            return _page(request, project, PolicySearchForm(), status=422)
        if action == "delete":
            try:
                policy_delete(policy=kept)
            except ValidationError as error:
                messages.error(request, error.messages[0])
            else:
                messages.success(request, f"The policy {kept.name} is deleted.")
        elif (learner := learner_of(project)) is not None:
            learner_update(learner=learner, augmentation=kept.name)
            messages.success(request, f"Features that are learned from now on use {kept.name}.")
        return redirect("learning:augmentation", slug)


class PolicyPicturesView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
        return _picture(policy_of(_project(request, slug), pk).pictures)


class TrialPicturesView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
        trial = PolicyTrial.objects.filter(search__project=_project(request, slug), pk=pk).first()
        if trial is None:
            raise Http404("No search of the project has such a trial.")
        return _picture(trial.pictures)


def _page(
    request: SignedInRequest, project: Project, form: PolicySearchForm, status: int = 200
) -> HttpResponse:
    learner = learner_of(project)
    used = learner.augmentation if learner else ""
    context = {
        **_search_context(project),
        "role": role_of(request.user, project),
        "tab": "learner",
        "learner": learner,
        "form": form,
        "searches": SEARCHES.values(),
        "used": augmentations_of(project).get(used, (used, ""))[0],
        "policies": [(one, policy_from(one.policy).words, one.name == used) for one in policies_of(project)],
    }
    return render(request, "learning/augmentation.html", context, status=status)


def _project(request: SignedInRequest, slug: str) -> Project:
    return project_for(request.user, slug, Membership.Role.MANAGER)


def _search_context(project: Project) -> dict[str, object]:
    search = newest_policy_search(project)
    progress = search_progress(search) if search else None
    live = search is not None and search.state in LIVE
    best = best_trials(search) if search else []
    moves = live and search is not None and search.state != PolicySearch.State.PAUSED
    return {
        "project": project,
        "search": search,
        "live": live,
        "moves": moves,
        "title": SEARCHES[search.config["search"]].title if search else "",
        "progress": progress,
        "left": time_words(progress.seconds_left) if progress else "",
        "best": [(one, percent(one.reward or 0.0)) for one in best],
        "pictured": any(one.pictures for one in best),
        "worker": worker_words(workers_seen()) if moves else "",
    }


def _no_action(request: SignedInRequest, known: Iterable[str]) -> str:
    sent = shown(request.POST.get("action", ""))
    return f"There is no action {sent}; there are: {', '.join(known)}. Nothing was done."


def _sent(request: SignedInRequest) -> object:
    file = request.FILES.get("policy")
    if file is None:
        raise ValidationError("Choose the JSON file of an exported policy.")
    if file.size is None or file.size > MOST_BYTES:
        raise ValidationError("The file is larger than any policy: choose the JSON file of an exported one.")
    try:
        return json.loads(file.read())
    except (ValueError, RecursionError):
        raise ValidationError(
            f"{shown(file.name)} is not JSON: choose the file of an exported policy."
        ) from None


def _picture(path: str) -> HttpResponse:
    if not path:
        raise Http404("These examples are not drawn yet.")
    try:
        with default_storage.open(path) as file:
            response = HttpResponse(file.read(), content_type="image/png")
    except FileNotFoundError:
        raise Http404(f"The storage has lost {path}.") from None
    response["Cache-Control"] = "private, max-age=31536000, immutable"
    response["X-Content-Type-Options"] = "nosniff"
    return response
