"""What the OpenAPI schema says of the bodies. The views build their answers by hand."""

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, inline_serializer
from rest_framework import serializers

from serving.api.named import MAX_ITEMS, MAX_URLS
from serving.api.uploads import MAX_IMAGES, RAW_TYPES


class ErrorResponse(serializers.Serializer[None]):
    detail = serializers.CharField(help_text="One sentence: what is wrong, and what to do.")


class ModelPart(serializers.Serializer[None]):
    version = serializers.IntegerField(min_value=1)
    digest = serializers.CharField(help_text="SHA-256 of the model's card.")
    precision = serializers.ChoiceField(
        ["float32", "int8"],
        help_text="What its backbone reckons in: int8 where it is as right and faster.",
    )


# Not classes: a serializer has an attribute `label` of its own.
_label_part = inline_serializer(
    "LabelPart",
    {"label": serializers.CharField(), "probability": serializers.FloatField(min_value=0, max_value=1)},
    many=True,
    required=False,
    help_text="The likeliest first; where two models' lists are merged, in the order to show.",
)


class AnswerPart(serializers.Serializer[None]):
    model = ModelPart()
    id = serializers.UUIDField(help_text="To send feedback on this question to.")
    arm = serializers.CharField()
    labels = _label_part


class PredictionPart(serializers.Serializer[None]):
    index = serializers.IntegerField(min_value=0, help_text="The image's place in the request, from 0.")
    id = serializers.UUIDField(required=False, help_text="To send feedback to.")
    arm = serializers.CharField(required=False, help_text="Which part of a rollout answered.")
    model = ModelPart(required=False, help_text="During a rollout: the model that answered this image.")
    labels = _label_part
    question = serializers.CharField(
        required=False, help_text="Whose answer this is, by its short name; where the project asks several."
    )
    answers = serializers.DictField(
        child=AnswerPart(),
        required=False,
        help_text="With several questions: each one's answer, by short name.",
    )
    error = serializers.CharField(required=False, help_text="Why this image was not answered.")


class PredictResponse(serializers.Serializer[None]):
    model = ModelPart()
    predictions = PredictionPart(many=True)


FeedbackRequest = inline_serializer(
    "FeedbackRequest",
    {"label": serializers.CharField(trim_whitespace=False, help_text="The true label's name.")},
)
FeedbackResponse = inline_serializer(
    "FeedbackResponse", {"prediction": serializers.UUIDField(), "label": serializers.CharField()}
)

ERRORS = {
    400: OpenApiResponse(ErrorResponse, "Something in the request is wrong; nothing was stored."),
    401: OpenApiResponse(ErrorResponse, "The API key is missing, unknown, malformed or revoked."),
    403: OpenApiResponse(ErrorResponse, "The API key has not the scope that this needs."),
    404: OpenApiResponse(ErrorResponse, "This key opens no such project, or the project has no such thing."),
    409: OpenApiResponse(
        ErrorResponse, "The project's state does not allow it: no model yet, or other feedback."
    ),
    411: OpenApiResponse(ErrorResponse, "The body came without a Content-Length."),
    413: OpenApiResponse(ErrorResponse, "Too many bytes or images."),
    415: OpenApiResponse(ErrorResponse, "The body's type is not one of those listed."),
    422: OpenApiResponse(ErrorResponse, "The Idempotency-Key was used for another request."),
    429: OpenApiResponse(ErrorResponse, "The key's limit is reached: try again after Retry-After."),
    504: OpenApiResponse(ErrorResponse, "It would have taken longer than the request allows."),
    503: OpenApiResponse(ErrorResponse, "Try again after the seconds in Retry-After."),
}

PREDICT_REQUEST: dict[str, object] = {
    **dict.fromkeys(RAW_TYPES, OpenApiTypes.BINARY),
    "multipart/form-data": {
        "type": "object",
        "required": ["image"],
        "properties": {
            "image": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_IMAGES,
                "items": {"type": "string", "format": "binary"},
            }
        },
    },
}

_named: dict[str, object] = {
    "items": {
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_ITEMS,
        "items": {
            "oneOf": [
                {"type": "integer", "minimum": 1, "description": "The item's number."},
                {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "Its file's SHA-256."},
            ]
        },
    }
}
if settings.URL_IMAGES:
    _named["urls"] = {
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_URLS,
        "items": {"type": "string", "format": "uri"},
    }
PREDICT_REQUEST["application/json"] = {
    "oneOf": [
        {"type": "object", "required": [name], "properties": {name: of}, "additionalProperties": False}
        for name, of in _named.items()
    ]
}

PREDICT_EXAMPLES = [
    OpenApiExample(
        "Two images, one unreadable",
        value={
            "model": {"version": 12, "digest": "9f2b…", "precision": "int8"},
            "predictions": [
                {
                    "index": 0,
                    "id": "0f8fad5b-d9cb-469f-a165-70867728950e",
                    "arm": "champion",
                    "labels": [{"label": "7", "probability": 0.93}, {"label": "1", "probability": 0.05}],
                },
                {"index": 1, "error": "The file is not a JPEG, PNG or WEBP image."},
            ],
        },
        response_only=True,
        status_codes=["200"],
    )
]
