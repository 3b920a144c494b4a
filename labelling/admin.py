"""Django's admin for what is labelled. What only ever grows can be looked at, not changed."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db.models import Model
from django.http import HttpRequest

from labelling.models import (
    Annotation,
    Consensus,
    ImportJob,
    ImportRefusal,
    Item,
    Label,
    Lease,
    Membership,
    Project,
    Question,
    Queue,
    QueueEntry,
    Suggestion,
    User,
    Wanted,
)

if TYPE_CHECKING:  # Only the type checker's Django knows these as generic.
    ModelAdmin = admin.ModelAdmin[Model]
    TabularInline = admin.TabularInline[Model, Model]
else:
    ModelAdmin = admin.ModelAdmin
    TabularInline = admin.TabularInline

admin.site.site_header = "Quern's administration"
admin.site.site_title = "Quern"
admin.site.index_title = "Everything that is stored"
admin.site.register(User, UserAdmin)


class LookOnly(ModelAdmin):
    """Rows that the services make. Counting millions of them for a page number is left out."""

    show_full_result_count = False
    list_select_related = True

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class MembershipInline(TabularInline):
    model = Membership
    extra = 0
    autocomplete_fields = ["user"]


class LabelInline(TabularInline):
    model = Label
    extra = 0


@admin.register(Project)
class ProjectAdmin(ModelAdmin):
    list_display = ["name", "slug", "overlap", "holdout_share", "created_at"]
    search_fields = ["name", "slug"]
    inlines = [MembershipInline]
    # The hold-out is drawn with these; the overlap is changed on the project's page, which asks items again.
    readonly_fields = ["slug", "seed", "holdout_share", "overlap"]

    # A project is made on its own page: it needs a question, labels and a queue.
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(Question)
class QuestionAdmin(ModelAdmin):
    list_display = ["prompt", "key", "project", "position"]
    list_select_related = ["project"]
    search_fields = ["prompt", "key"]
    inlines = [LabelInline]
    readonly_fields = ["project", "key"]

    # Questions are added on the project's page, which asks its images again.
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Label)
class LabelAdmin(ModelAdmin):
    list_display = ["name", "question", "position"]
    list_select_related = ["question"]
    search_fields = ["name"]

    # What was answered with it would say something else under another question.
    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return ["question"] if obj else []


@admin.register(Membership)
class MembershipAdmin(ModelAdmin):
    list_display = ["user", "project", "role"]
    list_filter = ["role"]
    list_select_related = ["user", "project"]
    autocomplete_fields = ["user", "project"]


@admin.register(Item)
class ItemAdmin(LookOnly):
    list_display = ["id", "name", "project", "split", "format", "width", "height", "open", "answers"]
    list_filter = ["split", "open"]
    search_fields = ["name", "digest"]


@admin.register(Annotation)
class AnnotationAdmin(LookOnly):
    list_display = ["id", "project", "item", "question", "annotator", "kind", "label", "source", "created_at"]
    list_filter = ["kind", "source"]
    search_fields = ["=uuid", "annotator__username"]


@admin.register(Consensus)
class ConsensusAdmin(LookOnly):
    list_display = ["id", "project", "item", "question", "label", "answers", "agreement", "updated_at"]


@admin.register(Queue)
class QueueAdmin(LookOnly):
    list_display = ["project", "generation", "round_number", "strategy", "reason", "swapped_at"]


@admin.register(QueueEntry)
class QueueEntryAdmin(LookOnly):
    list_display = ["project", "generation", "rank", "item", "score", "suggestion", "confidence"]


@admin.register(Wanted)
class WantedAdmin(LookOnly):
    list_display = ["item", "project", "kind", "reason", "created_at"]
    list_filter = ["kind"]


@admin.register(Suggestion)
class SuggestionAdmin(LookOnly):
    list_display = ["item", "question", "project", "labels", "offered", "created_at"]
    list_filter = ["offered"]


@admin.register(Lease)
class LeaseAdmin(LookOnly):
    list_display = ["item", "slot", "project", "annotator", "source", "rank", "expires_at"]


@admin.register(ImportJob)
class ImportJobAdmin(LookOnly):
    list_display = [
        "id",
        "name",
        "project",
        "kind",
        "state",
        "cursor",
        "total",
        "accepted",
        "refused",
        "error",
    ]
    list_filter = ["state", "kind"]


@admin.register(ImportRefusal)
class ImportRefusalAdmin(LookOnly):
    list_display = ["job", "row", "name", "reason"]
    search_fields = ["name"]
