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
        balance = counts.per_label
        if len(balance) > SHOWN_LABELS:
            balance = sorted(balance, key=lambda pair: -pair[1])[:SHOWN_LABELS]
        context = {
            "project": project,
            "role": role_of(request.user, project),
            "counts": counts,
            "labels": counts.pool + counts.holdout,
            "balance": balance,
            "most": max((count for _, count in balance), default=0),
            "unshown": len(counts.per_label) - len(balance),
            "unlabelled": sum(count == 0 for _, count in counts.per_label),
        }
        return render(request, "labelling/panel.html", context)
