from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labelling.api.requests import checked, sender
from labelling.api.serializers import LeasesAskedSerializer, LeasesSerializer
from labelling.models import Lease, Project
from labelling.selectors import held_items, lists_shown, project_for, unanswered
from labelling.services.leases import lease_items

_BLIND = (Lease.Source.HOLDOUT, Lease.Source.AUDIT, Lease.Source.TRAFFIC)


class LeasesView(APIView):
    """Reserve the next items for the signed-in person, and renew the ones their browser holds."""

    @extend_schema(request=LeasesAskedSerializer, responses=LeasesSerializer)
    def post(self, request: Request, slug: str) -> Response:
        user = sender(request)
        project = project_for(user, slug)
        asked = checked(LeasesAskedSerializer(data=request.data))
        leases = lease_items(project=project, annotator=user, count=asked["count"], holding=asked["holding"])
        lists = lists_shown(leases)
        questions = unanswered(project, user, [lease.item_id for lease in leases])
        return Response(
            {
                "items": [_leased(project, lease, questions[lease.item_id], lists) for lease in leases],
                "held": held_items(project, user, asked["holding"]),
                "expires_in": float(project.lease_seconds),
            }
        )


def _leased(
    project: Project, lease: Lease, questions: list[int], lists: dict[int, list[int]]
) -> dict[str, object]:
    shown = lease.source not in _BLIND
    suggestion = None
    if lease.suggestion is not None and shown and str(lease.suggestion.question_id) not in lease.lists:
        suggestion = {"label": lease.suggestion_id, "confidence": lease.confidence}
    others = [
        {"label": label, "confidence": sure}
        for question, (label, sure) in lease.others.items()
        if question not in lease.lists
    ]
    listed = [
        {"question": int(question), "labels": lists[pk]}
        for question, pk in lease.lists.items()
        if pk in lists and shown
    ]
    return {
        "item": lease.item_id,
        "image": reverse("labelling:item-image", args=[project.slug, lease.item_id]),
        "width": lease.item.width,
        "height": lease.item.height,
        "questions": questions,
        "suggestion": suggestion,
        "other_suggestions": others if shown else [],
        "lists": listed,
        "expires_in": (lease.expires_at - timezone.now()).total_seconds(),
    }
