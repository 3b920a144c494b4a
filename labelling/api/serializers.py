"""What the annotator's browser sends and gets. Whether an item is of the hold-out is never told."""

from typing import Any

from rest_framework import serializers

from labelling.models import Annotation

# A person has at hand what is prefetched and what is not saved yet; more than this is a mistake.
MAX_HOLDING = 1000


class FromPageSerializer(serializers.Serializer[dict[str, Any]]):
    annotator = serializers.IntegerField(
        required=False, help_text="Whose page it is: refused when someone else is signed in by now"
    )


class LeasesAskedSerializer(FromPageSerializer):
    count = serializers.IntegerField(min_value=0, max_value=20)
    holding = serializers.ListField(
        child=serializers.IntegerField(min_value=1), max_length=MAX_HOLDING, default=list
    )


class SuggestionSerializer(serializers.Serializer[dict[str, Any]]):
    label = serializers.IntegerField()  # type: ignore[assignment]  # DRF's own `label` is a title; a client means the class
    confidence = serializers.FloatField(allow_null=True)


class SuggestedListSerializer(serializers.Serializer[dict[str, Any]]):
    question = serializers.IntegerField()
    labels = serializers.ListField(child=serializers.IntegerField(), help_text="In the order to show them")


class LeasedItemSerializer(serializers.Serializer[dict[str, Any]]):
    item = serializers.IntegerField()
    image = serializers.CharField(help_text="URL of the image")
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    questions = serializers.ListField(
        child=serializers.IntegerField(),
        help_text="Questions this person has not answered about the item yet",
    )
    suggestion = SuggestionSerializer(allow_null=True)
    other_suggestions = SuggestionSerializer(many=True, help_text="To further questions")
    lists = SuggestedListSerializer(many=True, help_text="Several suggestions to a question, in order")
    expires_in = serializers.FloatField(help_text="Seconds until the item may go to someone else")


class LeasesSerializer(serializers.Serializer[dict[str, Any]]):
    items = LeasedItemSerializer(many=True)
    held = serializers.ListField(
        child=serializers.IntegerField(), help_text="Of the items in `holding`, those whose lease was renewed"
    )
    expires_in = serializers.FloatField(help_text="Seconds until the renewed leases run out")


class AnswerSerializer(FromPageSerializer):
    uuid = serializers.UUIDField()
    item = serializers.IntegerField(min_value=1)
    question = serializers.IntegerField(min_value=1)
    label = serializers.IntegerField(min_value=1, allow_null=True, help_text="null skips the item")  # type: ignore[assignment]  # DRF's own `label` is a title; a client means the class
    seconds = serializers.FloatField(min_value=0, max_value=86400, allow_null=True, default=None)


class UndoSerializer(FromPageSerializer):
    uuid = serializers.UUIDField(help_text="The undo's own UUID, so that it can be sent again")


class AnnotationSerializer(serializers.Serializer[Annotation]):
    uuid = serializers.UUIDField()
    kind = serializers.CharField()
    item = serializers.IntegerField(source="item_id")
    question = serializers.IntegerField(source="question_id")
    label = serializers.IntegerField(source="label_id", allow_null=True)  # type: ignore[assignment]  # DRF's own `label` is a title; a client means the class
    created_at = serializers.DateTimeField()


class RefusalSerializer(serializers.Serializer[dict[str, Any]]):
    detail = serializers.CharField(help_text="One sentence: what is wrong")
