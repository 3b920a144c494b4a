from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views import View

from labelling.models import Membership
from labelling.selectors import project_for, role_of
from labelling.views.access import SignedInRequest
from serving import selectors
from serving.core.modes import MODES
from serving.models import Rollout
from serving.services.rollouts import ACTS, RolloutRefused, rollout_act, rollout_audit
from serving.views.drift_words import drift_notices
from serving.views.rollout_words import (
    answering,
    besides,
    decision_tone,
    decision_words,
    doubly_robust_words,
    figure_rows,
    kind_of,
    setting_words,
    tone,
)


class RolloutsView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest, slug: str) -> HttpResponse:
        project = project_for(request.user, slug, Membership.Role.REVIEWER)
        role = role_of(request.user, project)
        context = {
            "project": project,
            "role": role,
            "tab": "rollouts",
            "rollouts": [
                {
                    "rollout": one,
                    "kind": kind_of(one),
                    "tone": tone(one),
                    "arms": _arms(one),
                    "held_up": selectors.held_up(one),
                }
                for one in selectors.rollouts_of(project)
            ],
            "several": project.questions.count() > 1,
            "drifts": drift_notices(project),
            "wanted": selectors.wanted_of(project),
            "is_manager": role == Membership.Role.MANAGER,
            "may_look_closer": True,
        }
        return render(request, "serving/rollouts.html", context)


class RolloutView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
        return _page(request, slug, pk)


class RolloutPartView(LoginRequiredMixin, View):
    """What moves on the page. When the state has changed, the whole page comes anew, with other buttons."""

    def get(self, request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
        project = project_for(request.user, slug, Membership.Role.REVIEWER)
        rollout = get_object_or_404(Rollout, project=project, pk=pk)
        if request.GET.get("state", rollout.state) != rollout.state:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return render(request, "serving/rollout_part.html", {"project": project, **_parts(rollout)})


class RolloutActView(LoginRequiredMixin, View):
    http_method_names = ["post"]

    def post(self, request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
        project = project_for(request.user, slug, Membership.Role.MANAGER)
        rollout = get_object_or_404(Rollout, project=project, pk=pk)
        act = request.POST.get("act", "")
        try:
            rollout_act(rollout=rollout, act=act, actor=request.user)
        except RolloutRefused as refusal:
            return _page(request, slug, pk, str(refusal), status=422)
        messages.success(request, ACTS[act].told)
        return redirect("serving:rollout", project.slug, pk)


class AuditForm(forms.Form):
    audit_share = forms.FloatField(min_value=0, max_value=100)


class RolloutAuditView(LoginRequiredMixin, View):
    http_method_names = ["post"]

    def post(self, request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
        project = project_for(request.user, slug, Membership.Role.MANAGER)
        rollout = get_object_or_404(Rollout, project=project, pk=pk)
        form = AuditForm(request.POST)
        if not form.is_valid():
            told = "Audited share: write a number between 0 and 100."
            return _page(request, slug, pk, told, status=422)
        share = form.cleaned_data["audit_share"] / 100
        try:
            rollout_audit(rollout=rollout, share=share, actor=request.user)
        except RolloutRefused as refusal:
            return _page(request, slug, pk, str(refusal), status=422)
        messages.success(request, "Saved: every process draws by it within a second.")
        return redirect("serving:rollout", project.slug, pk)


def _page(request: SignedInRequest, slug: str, pk: int, error: str = "", status: int = 200) -> HttpResponse:
    project = project_for(request.user, slug, Membership.Role.REVIEWER)
    rollout = get_object_or_404(Rollout, project=project, pk=pk)
    role = role_of(request.user, project)
    mode = MODES.get(rollout.mode)
    context = {
        "project": project,
        "role": role,
        "tab": "rollouts",
        "error": error,
        "is_manager": role == Membership.Role.MANAGER,
        "acts": [act for act in ACTS.values() if rollout.state in act.when],
        "settings": [(one, setting_words(rollout.config.get(one.name, one.default))) for one in mode.settings]
        if mode
        else [],
        "summary": mode.summary if mode else "",
        **_parts(rollout),
    }
    return render(request, "serving/rollout.html", context, status=status)


def _parts(rollout: Rollout) -> dict[str, Any]:
    arms, split = _arms(rollout), selectors.split_now(rollout)
    return {
        "rollout": rollout,
        "kind": kind_of(rollout),
        "tone": tone(rollout),
        "arms": arms,
        "answering": answering(split, arms),
        "besides": besides(split),
        "trouble": selectors.trouble_of(rollout) or rollout.error,
        "held_up": selectors.held_up(rollout),
        "lists": selectors.lists_told(rollout),
        "failures": selectors.failures_of(rollout) if rollout.live else 0,
        "figures": figure_rows(rollout.figures),
        "doubly_robust": "" if rollout.over else doubly_robust_words(rollout.figures),
        "decisions": [
            {"made": one, "said": decision_words(one.action), "tone": decision_tone(one.action)}
            for one in selectors.rollout_decisions(rollout)
        ],
        "audited": f"{rollout.audit_share * 100:.3g}",
        "load_errors": [arm.load_error for arm in rollout.arms.all() if arm.load_error and rollout.live],
    }


def _arms(rollout: Rollout) -> dict[str, int]:
    """The version's number of each arm."""
    return {arm.name: arm.model_version.number for arm in rollout.arms.select_related("model_version")}
