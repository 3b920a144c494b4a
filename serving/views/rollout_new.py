"""The form that begins a rollout. What it asks for, and in which words, the modes say themselves."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views import View

from labelling.models import Membership, Project
from labelling.selectors import project_for, role_of
from labelling.views.access import SignedInRequest
from learning.models import ModelVersion
from serving import selectors
from serving.core.modes import MODES, Mode, Outlook, mode_named
from serving.core.records import Setting
from serving.models import Deployment
from serving.services.deployments import evidence_of
from serving.services.rollouts import ACTS, RolloutRefused, rollout_create
from serving.views.figures import accuracy_words

FIRST = "ab"
BETTER = 0.03  # what the estimate of labels is for


class RolloutNewView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest, slug: str) -> HttpResponse:
        return _page(request, project_for(request.user, slug, Membership.Role.MANAGER), None, "")

    def post(self, request: SignedInRequest, slug: str) -> HttpResponse:
        project = project_for(request.user, slug, Membership.Role.MANAGER)
        sent = request.POST
        version = _challenger(project, sent.get("challenger", ""))
        try:
            if version is None:
                raise RolloutRefused("Choose the version to try.")
            name = sent.get("mode", "")
            start = sent.get("start") == "yes"
            rollout = rollout_create(
                question=version.learner.question,
                mode=name,
                challenger=version,
                config=_config(name, sent),
                audit_share=_number("Audited share", sent.get("audit_share", "10"), 100) / 100,
                maturity_seconds=round(_number("Waiting time", sent.get("maturity", "0"), 10**6) * 60),
                user=request.user,
                start=start,
            )
        except RolloutRefused as refusal:
            return _page(request, project, sent, str(refusal))
        if start:
            messages.success(request, ACTS["start"].told)
        return redirect("serving:rollout", project.slug, rollout.pk)


def _challenger(project: Project, number: str) -> ModelVersion | None:
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        return None
    versions = ModelVersion.objects.filter(project=project, number=int(number))
    return versions.select_related("learner__question").first()


def _number(title: str, text: str, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise RolloutRefused(f"{title}: write a number between 0 and {most:g}, not '{text[:20]}'.")
    return value


def _config(name: str, sent: QueryDict) -> dict[str, Any]:
    """What the form says of the chosen mode's settings; whether it makes sense, the mode says."""
    try:
        mode = mode_named(name)
    except ValueError as unknown:
        raise RolloutRefused(str(unknown)) from unknown
    found: dict[str, Any] = {}
    for one in mode.settings:
        field = f"{name}-{one.name}"
        if one.kind == "yes or no":
            found[one.name] = field in sent
        elif field in sent:
            found[one.name] = _read(one, sent.getlist(field))
    return found


def _read(setting: Setting, texts: list[str]) -> object:
    if setting.kind == "names":
        return texts
    words = texts[-1].replace(",", " ").split()
    try:
        numbers = [int(word) if setting.kind == "whole number" else float(word) for word in words]
    except ValueError as error:
        raise RolloutRefused(
            f"{setting.title}: '{texts[-1][:40]}' is not {_article(setting.kind)}."
        ) from error
    if setting.kind == "numbers":
        return numbers
    if len(numbers) != 1:
        raise RolloutRefused(f"{setting.title}: write {_article(setting.kind)}, such as {setting.default:g}.")
    return numbers[0]


def _article(kind: str) -> str:
    return kind if kind == "numbers" else f"a {kind}"


def _page(request: SignedInRequest, project: Project, sent: QueryDict | None, error: str) -> HttpResponse:
    deployments = selectors.deployments_of(project)
    chosen = sent.get("mode", FIRST) if sent else FIRST
    outlook = _outlook(deployments)
    context = {
        "project": project,
        "role": role_of(request.user, project),
        "tab": "rollouts",
        "error": error,
        "choices": [_choice(one) for one in deployments if one.champion],
        "automatic": any(one.automatic for one in deployments),
        "several": len(deployments) > 1,
        "challenger": sent.get("challenger", "") if sent else "",
        "audit_share": sent.get("audit_share", "") if sent else "10",
        "maturity": sent.get("maturity", "") if sent else "0",
        "modes": [
            {
                "mode": mode,
                "chosen": name == chosen,
                "needs": _needs(mode, outlook),
                "settings": [_field(name, one, sent if name == chosen else None) for one in mode.settings],
            }
            for name, mode in MODES.items()
        ],
    }
    return render(request, "serving/rollout_new.html", context, status=422 if error else 200)


def _choice(deployment: Deployment) -> dict[str, Any]:
    versions = selectors.challengers_of(deployment)
    champion = deployment.champion
    return {
        "question": deployment.question,
        "champion": champion,
        "accuracy": accuracy_words(champion) if champion else "",
        "versions": [(one, accuracy_words(one)) for one in versions],
    }


def _outlook(deployments: list[Deployment]) -> Outlook | None:
    """What is asked of a better version: BETTER more than the first champion, or half of what is missing."""
    champions = [evidence_of(one.champion).accuracy for one in deployments if one.champion]
    accuracy = champions[0] if champions else None
    if accuracy is None or not 0.2 <= accuracy < 0.999:
        return None
    return Outlook(accuracy=accuracy, difference=min(BETTER, (1 - accuracy) / 2))


def _needs(mode: Mode[Any, Any], outlook: Outlook | None) -> str:
    if outlook is None:
        return ""
    config = mode.config()
    return mode.needs_words(config, outlook, mode.labels_needed(config, outlook))


def _field(mode: str, setting: Setting, sent: QueryDict | None) -> dict[str, Any]:
    name = f"{mode}-{setting.name}"
    default = setting.default
    shown = ", ".join(f"{one}" for one in default) if setting.kind == "numbers" else default
    return {
        "name": name,
        "setting": setting,
        "value": sent.get(name, shown) if sent else shown,
        "on": name in sent if sent else bool(default),
        "picked": sent.getlist(name) if sent else default,
    }
