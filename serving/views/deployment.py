from django import forms
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views import View

from labelling.models import Membership, Project, Question
from labelling.selectors import project_for, role_of
from labelling.views.access import SignedInRequest
from learning.models import ModelVersion
from learning.selectors import measured_on
from serving import selectors
from serving.services.champions import champions
from serving.services.deployments import deployment_automatic_set, deployment_promote
from serving.services.traffic import traffic_policy_set
from serving.views.drift_words import drift_notices
from serving.views.figures import accuracy_words, further_champions, live_accuracy_words


class PromoteForm(forms.Form):
    version = forms.IntegerField(min_value=1)
    reason = forms.CharField(max_length=300, required=False)


class AutomaticForm(forms.Form):
    automatic = forms.TypedChoiceField(
        choices=[("on", "on"), ("off", "off")], coerce=lambda value: value == "on"
    )
    question = forms.IntegerField(required=False)


class DeploymentView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest, slug: str) -> HttpResponse:
        return _page(request, project_for(request.user, slug, Membership.Role.REVIEWER))


class PromoteView(LoginRequiredMixin, View):
    http_method_names = ["post"]

    def post(self, request: SignedInRequest, slug: str) -> HttpResponse:
        project = project_for(request.user, slug, Membership.Role.MANAGER)
        form = PromoteForm(request.POST)
        if not form.is_valid():
            return _page(request, project, "Say which version to promote, by its number.", status=422)
        version = get_object_or_404(ModelVersion, project=project, number=form.cleaned_data["version"])
        reason = form.cleaned_data["reason"] or f"{request.user} chose version {version.number}."
        deployment_promote(project=project, version=version, actor=request.user, reason=reason)
        messages.success(
            request,
            f"Version {version.number} answers all clients within a second. "
            "Automatic promotion is off until you turn it on again.",
        )
        return redirect("serving:deployment", project.slug)


class AutomaticView(LoginRequiredMixin, View):
    http_method_names = ["post"]

    def post(self, request: SignedInRequest, slug: str) -> HttpResponse:
        project = project_for(request.user, slug, Membership.Role.MANAGER)
        form = AutomaticForm(request.POST)
        if not form.is_valid():
            return _page(request, project, "Automatic promotion can be 'on' or 'off'.", status=422)
        asked = form.cleaned_data["question"]
        question = get_object_or_404(Question, project=project, pk=asked) if asked else None
        deployment_automatic_set(
            project=project,
            automatic=form.cleaned_data["automatic"],
            actor=request.user,
            question=question,
        )
        return redirect("serving:deployment", project.slug)


class TrafficForm(forms.Form):
    keep_images = forms.BooleanField(required=False)
    keep_days = forms.IntegerField(required=False, min_value=1, max_value=36_500)
    audit_share = forms.FloatField(required=False, min_value=0, max_value=100)


class TrafficView(LoginRequiredMixin, View):
    http_method_names = ["post"]

    def post(self, request: SignedInRequest, slug: str) -> HttpResponse:
        project = project_for(request.user, slug, Membership.Role.MANAGER)
        form = TrafficForm(request.POST)
        if not form.is_valid():
            told = (
                "Audited share: write a number between 0 and 100."
                if "audit_share" in form.errors
                else "Write a whole number of days, 1 or more, or nothing."
            )
            return _page(request, project, told, status=422)
        percent = form.cleaned_data.pop("audit_share")
        share = None if percent is None else percent / 100
        traffic_policy_set(project=project, audit_share=share, **form.cleaned_data)
        messages.success(request, "Saved.")
        return redirect("serving:deployment", project.slug)


def _page(request: SignedInRequest, project: Project, error: str = "", status: int = 200) -> HttpResponse:
    deployments = selectors.deployments_of(project)
    deployment = deployments[0] if deployments else None
    role = role_of(request.user, project)
    policy = selectors.traffic_policy(project)
    champion = deployment.champion if deployment else None
    context = {
        "project": project,
        "role": role,
        "tab": "deployment",
        "error": error or champions.trouble(project.pk),
        "deployment": deployment,
        "champion": champion,
        "champions": {one.champion_id for one in deployments},
        "several": project.questions.count() > 1,
        "further": further_champions(deployments[1:]),
        "decision": selectors.champion_decision(deployment) if deployment and champion else None,
        "accuracy": accuracy_words(champion) if champion else "",
        "measured_on": measured_on(champion.metrics) if champion else "",
        "versions": [
            (version, accuracy_words(version), measured_on(version.metrics))
            for version in selectors.versions_of(project)
        ],
        "decisions": selectors.decisions_of(project),
        "rollouts": [one for one in selectors.rollouts_of(project) if one.live],
        "drifts": drift_notices(project),
        "may_look_closer": True,
        "policy": policy,
        "audited": f"{policy.audit_share * 100:.3g}",
        "live_accuracies": [
            (one.question.prompt, live_accuracy_words(selectors.live_accuracy(one))) for one in deployments
        ],
        "is_manager": role == Membership.Role.MANAGER,
    }
    return render(request, "serving/deployment.html", context, status=status)
