"""Reading, and revoking keys. Everything here has its own service that writes it, mostly append-only."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from serving.models import (
    ApiKey,
    Arm,
    Decision,
    Deployment,
    DriftReference,
    DriftWindow,
    EvidencePoint,
    Feedback,
    Offer,
    Prediction,
    Rollout,
    TrafficPolicy,
    UnitCounts,
    UnitsCounted,
)
from serving.services.keys import key_revoke

# Django's class takes its type parameter in the stubs only.
if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Model]
else:
    _ModelAdmin = admin.ModelAdmin


class ReadOnlyAdmin(_ModelAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ["name", "prefix", "project", "scopes", "created_by", "created_at", "revoked_at"]
    list_filter = ["project"]
    exclude = ["secret_hash"]
    actions = ["revoke"]

    @admin.action(description="Revoke the selected keys", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset:
            key_revoke(key=key)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """That to change keys, though nothing else of them can be changed."""
        return request.user.has_perm("serving.change_apikey")


@admin.register(Deployment)
class DeploymentAdmin(ReadOnlyAdmin):
    list_display = ["project", "question", "champion", "automatic", "considered", "updated_at"]


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "project", "action", "model_version", "previous", "rule", "actor"]
    list_filter = ["project", "action", "rule"]


@admin.register(Rollout)
class RolloutAdmin(ReadOnlyAdmin):
    list_display = ["id", "project", "question", "mode", "state", "phase", "rule", "started_at", "ended_at"]
    list_filter = ["project", "mode", "state"]


@admin.register(Arm)
class ArmAdmin(ReadOnlyAdmin):
    list_display = ["rollout", "name", "model_version", "dropped", "load_error"]


@admin.register(EvidencePoint)
class EvidencePointAdmin(ReadOnlyAdmin):
    list_display = ["rollout", "phase", "created_at"]
    show_full_result_count = False


@admin.register(DriftWindow)
class DriftWindowAdmin(ReadOnlyAdmin):
    list_display = [
        "deployment",
        "model_version",
        "answers_drifted",
        "p",
        "size",
        "inputs_drifted",
        "inputs_p",
        "inputs_size",
        "ended_at",
    ]
    list_filter = ["drifted"]


@admin.register(DriftReference)
class DriftReferenceAdmin(ReadOnlyAdmin):
    list_display = ["project", "backbone", "images", "digest", "error", "updated_at"]


@admin.register(Offer)
class OfferAdmin(ReadOnlyAdmin):
    list_display = ["id", "rollout", "item", "votes", "created_at"]
    show_full_result_count = False


@admin.register(UnitCounts)
class UnitCountsAdmin(ReadOnlyAdmin):
    list_display = ["rollout", "arm", "unit", "answers", "failed"]
    show_full_result_count = False


@admin.register(UnitsCounted)
class UnitsCountedAdmin(ReadOnlyAdmin):
    list_display = ["rollout", "until", "rows"]


@admin.register(TrafficPolicy)
class TrafficPolicyAdmin(ReadOnlyAdmin):
    list_display = ["project", "keep_images", "keep_days"]


@admin.register(Prediction)
class PredictionAdmin(ReadOnlyAdmin):
    list_display = ["id", "project", "model_version", "arm", "status", "created_at", "decode_ms", "infer_ms"]
    list_filter = ["project", "arm"]
    show_full_result_count = False


@admin.register(Feedback)
class FeedbackAdmin(ReadOnlyAdmin):
    list_display = ["prediction", "label", "api_key", "created_at"]
