"""Reading. The recipe is changed on the project's Learner page, through its service; nothing is edited here.

Deleting stays possible, because deleting a project deletes all of it.
"""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from learning.models import (
    AugmentationPolicy,
    EmbeddingShard,
    Lane,
    Learner,
    MethodChoice,
    ModelVersion,
    PolicySearch,
    PolicyTrial,
    PretrainingRun,
    QuantisedBackbone,
    QuantisedExport,
    Round,
    Rule,
    RuleCheck,
    Search,
    SearchPart,
    TrainingRun,
)

# Django's class takes its type parameter in the stubs only.
if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Model]
else:
    _ModelAdmin = admin.ModelAdmin


class UnchangingAdmin(_ModelAdmin):
    list_select_related = ["project"]
    list_filter = ["project"]
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Learner)
class LearnerAdmin(UnchangingAdmin):
    list_display = ["project", "question", "enabled", "backbone", "method", "strategy", "trained_through"]


@admin.register(Lane)
class LaneAdmin(_ModelAdmin):
    list_display = ["learner", "updated_at"]
    # Thousands of ids.
    exclude = ["items", "labels", "confidences"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(TrainingRun)
class TrainingRunAdmin(UnchangingAdmin):
    list_display = ["id", "project", "state", "attempt", "stage", "created_at", "finished_at", "error"]
    list_filter = ["project", "state"]


@admin.register(PretrainingRun)
class PretrainingRunAdmin(UnchangingAdmin):
    list_display = ["id", "project", "method", "state", "progress", "backbone", "note", "error"]
    list_filter = ["project", "state"]


@admin.register(PolicySearch)
class PolicySearchAdmin(UnchangingAdmin):
    list_display = ["id", "project", "state", "attempt", "stage", "total", "seconds", "note", "error"]
    list_filter = ["project", "state"]
    # Thousands of ids.
    exclude = ["known"]


@admin.register(PolicyTrial)
class PolicyTrialAdmin(UnchangingAdmin):
    list_display = ["search", "number", "kind", "candidate", "reward", "diverged", "seconds"]
    list_select_related = ["search"]
    list_filter = ["search__project", "kind"]


@admin.register(AugmentationPolicy)
class AugmentationPolicyAdmin(UnchangingAdmin):
    list_display = ["project", "name", "digest", "search", "created_at"]


@admin.register(Rule)
class RuleAdmin(UnchangingAdmin):
    list_display = ["project", "name", "enabled", "label", "table_name", "table_rows"]


@admin.register(RuleCheck)
class RuleCheckAdmin(UnchangingAdmin):
    list_display = ["id", "project", "state", "items", "created_at", "finished_at", "error"]
    list_filter = ["project", "state"]


@admin.register(MethodChoice)
class MethodChoiceAdmin(UnchangingAdmin):
    list_display = ["project", "learner", "state", "choice", "finished_at", "error"]


@admin.register(ModelVersion)
class ModelVersionAdmin(UnchangingAdmin):
    list_display = ["project", "number", "labels", "holdout_labels", "method", "digest", "created_at"]


@admin.register(Round)
class RoundAdmin(UnchangingAdmin):
    list_display = ["project", "number", "strategy", "candidates", "ranked", "seconds", "created_at"]


@admin.register(EmbeddingShard)
class EmbeddingShardAdmin(UnchangingAdmin):
    list_display = ["project", "backbone", "number", "progress", "claimed_at", "error"]
    # Thousands of ids.
    exclude = ["item_ids", "failed_ids"]


@admin.register(Search)
class SearchAdmin(UnchangingAdmin):
    list_display = ["run", "backbone", "screen", "keep", "created_at"]
    list_select_related = ["run"]
    list_filter = ["backbone"]


@admin.register(SearchPart)
class SearchPartAdmin(UnchangingAdmin):
    list_display = ["search", "number", "first_item", "last_item", "claimed_at"]
    list_select_related = ["search__run"]
    list_filter = ["search__run__project"]
    exclude = ["found"]


@admin.register(QuantisedBackbone)
class QuantisedBackboneAdmin(UnchangingAdmin):
    list_display = ["project", "backbone", "state", "images", "size", "size_int8", "error"]


@admin.register(QuantisedExport)
class QuantisedExportAdmin(UnchangingAdmin):
    list_display = ["version", "labels", "right", "right_int8", "used", "why"]
    list_select_related = ["version__project"]
    list_filter = ["version__project"]
