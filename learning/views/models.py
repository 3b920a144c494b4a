"""Model versions: the list, one version's card, its artifacts as downloads."""

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views import View

from labelling.models import Membership, Project
from labelling.selectors import project_for, role_of
from labelling.views.access import SignedInRequest
from learning.core.evaluation import MOST_CELLS
from learning.core.methods import METHODS
from learning.models import ModelVersion
from learning.quantised_selectors import precisions_of
from learning.selectors import measured_on, versions_page
from learning.services.artifacts import artifact_get
from learning.services.versions import version_judged
from learning.views.words import accuracy_of, percent, precision_words, reliability_of, unmeasured

# What may be downloaded: its name in the address, where the card names it, suffix, content type.
ARTIFACTS = {
    "card": (None, ".json", "application/json"),
    "onnx": ("onnx", ".onnx", "application/octet-stream"),
    "safetensors": ("weights", ".safetensors", "application/octet-stream"),
}


class ModelsView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest, slug: str) -> HttpResponse:
        project = project_for(request.user, slug)
        page = versions_page(project, request.GET.get("page"))
        context = {
            "project": project,
            "role": role_of(request.user, project),
            "tab": "models",
            "page": page,
            "several": project.questions.count() > 1,
            "rows": [(version, accuracy_of(version), measured_on(version.metrics)) for version in page],
        }
        return render(request, "learning/models.html", context)


class ModelView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest, slug: str, number: int) -> HttpResponse:
        project = project_for(request.user, slug)
        version = _version(project, number)
        role = role_of(request.user, project)
        metrics = version.metrics
        method = METHODS.get(version.method)
        context = {
            "project": project,
            "role": role,
            "tab": "models",
            "version": version,
            "question": version.learner.question if project.questions.count() > 1 else None,
            "accuracy": accuracy_of(version),
            "measured_on": measured_on(metrics),
            "unmeasured": unmeasured(project),
            "basis": "random draws" if metrics.get("basis") else "hold-out labels",
            "method": method.title if method else version.method,
            "card": version.card,
            "per_class": [_class_row(row) for row in metrics["per_class"]],
            "confusion": _confusion(metrics),
            "confused": _confused(metrics),
            "reliability": reliability_of(metrics["reliability"]),
            "ece": None if metrics["ece"] is None else percent(metrics["ece"]),
            "may_open": role != Membership.Role.ANNOTATOR,
            "downloads": [] if role == Membership.Role.ANNOTATOR else list(ARTIFACTS),
            "precision": precision_words(precisions_of(version)),
            "rounds": version.rounds.all()[:5],
        }
        return render(request, "learning/model.html", context)


class JudgedView(LoginRequiredMixin, View):
    """The images of one cell of the confusion table. Not for annotators: it tells what is in the hold-out."""

    def get(self, request: SignedInRequest, slug: str, number: int, truth: int, guess: int) -> HttpResponse:
        project = project_for(request.user, slug, Membership.Role.REVIEWER)
        version = _version(project, number)
        names = [one["name"] for one in version.card["classes"]]
        if not (truth < len(names) and guess < len(names)):
            raise Http404(f"Version {number} knows the classes 0 to {len(names) - 1}.")
        context = {
            "project": project,
            "role": role_of(request.user, project),
            "tab": "models",
            "version": version,
            "truth": names[truth],
            "guess": names[guess],
            "basis": "random draws" if version.metrics.get("basis") else "hold-out images",
            "judged": [
                (item, percent(sure))
                for item, sure in version_judged(version=version, truth=truth, guess=guess)
            ],
        }
        return render(request, "learning/judged.html", context)


class ArtifactView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest, slug: str, number: int, kind: str) -> HttpResponse:
        project = project_for(request.user, slug, Membership.Role.REVIEWER)
        version = _version(project, number)
        if kind not in ARTIFACTS:
            raise Http404(f"A version has no '{kind}'; it has: {', '.join(ARTIFACTS)}.")
        key, suffix, content_type = ARTIFACTS[kind]
        digest = version.card[key] if key else version.digest
        response = HttpResponse(artifact_get(digest=digest, suffix=suffix), content_type=content_type)
        response["Content-Disposition"] = f'attachment; filename="{project.slug}-{number}{suffix}"'
        response["ETag"] = f'"{digest}"'
        return response


def _version(project: Project, number: int) -> ModelVersion:
    return get_object_or_404(ModelVersion, project=project, number=number)


def _class_row(row: dict[str, Any]) -> dict[str, Any]:
    share = row["correct"] / row["n"] if row["n"] else None
    return {**row, "share": share, "words": "" if share is None else f"{percent(share)}%"}


def _confusion(metrics: dict[str, Any]) -> list[tuple[int, str, list[tuple[int, int]]]]:
    """Rows of (truth, its name, [(guess, count), ...]), as long as people can read them."""
    if len(metrics["per_class"]) > MOST_CELLS:
        return []
    names = [row["name"] for row in metrics["per_class"]]
    return [(truth, names[truth], list(enumerate(row))) for truth, row in enumerate(metrics["confusion"])]


def _confused(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """The most frequent mistakes, where the table would be too large."""
    names = [row["name"] for row in metrics["per_class"]]
    if len(names) <= MOST_CELLS:
        return []
    return [
        {"truth": truth, "guess": guess, "n": n, "words": f"{names[truth]} taken for {names[guess]}"}
        for truth, guess, n in metrics.get("confused", [])
    ]
