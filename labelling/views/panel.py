"""The labelling side's part of a project's overview, fetched again every two seconds."""

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpResponse
from django.shortcuts import render
from django.views import View

from labelling.selectors import label_counts, project_for, role_of
from labelling.views.access import SignedInRequest

SHOWN_LABELS = 15


class PanelView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest, slug: str) -> HttpResponse:
        project = project_for(request.user, slug)
        counts = label_counts(project)
        context = {
            "project": project,
            "role": role_of(request.user, project),
            "counts": counts,
            "balances": [_balance(prompt, labels) for prompt, labels in counts.per_question],
        }
        return render(request, "labelling/panel.html", context)


def _balance(prompt: str, labels: list[tuple[str, int]]) -> dict[str, object]:
    shown = labels
    if len(labels) > SHOWN_LABELS:
        shown = sorted(labels, key=lambda pair: -pair[1])[:SHOWN_LABELS]
    return {
        "prompt": prompt,
        "labels": shown,
        "all": len(labels),
        "most": max((count for _, count in shown), default=0),
        "unshown": len(labels) - len(shown),
        "unlabelled": sum(count == 0 for _, count in labels),
    }
