"""What the OpenAPI schema says of the Open Inference Protocol's bodies."""

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, inline_serializer
from rest_framework import serializers

from serving.api.v2_tensors import INPUT


class V2Error(serializers.Serializer[None]):
    error = serializers.CharField(help_text="One sentence: what is wrong, and what to do.")


class V2Tensor(serializers.Serializer[None]):
    name = serializers.CharField()
    datatype = serializers.CharField()
    shape = serializers.ListField(child=serializers.IntegerField(min_value=-1))


_data = serializers.ListField(help_text="Row by row, flat or nested.")
V2Request = inline_serializer(
    "V2Request",
    {
        "id": serializers.CharField(required=False, allow_null=True),
        "parameters": serializers.DictField(
            required=False, allow_null=True, help_text="'top' and 'unit', as in predict."
        ),
        "inputs": inline_serializer(
            "V2Input",
            {
                "name": serializers.ChoiceField([INPUT]),
                "datatype": serializers.ChoiceField(["UINT8", "BYTES"]),
                "shape": serializers.ListField(child=serializers.IntegerField(min_value=1)),
                "data": _data,
            },
            many=True,
        ),
        "outputs": inline_serializer(
            "V2Wanted", {"name": serializers.CharField()}, many=True, required=False, allow_null=True
        ),
    },
)
V2Response = inline_serializer(
    "V2Response",
    {
        "model_name": serializers.CharField(),
        "model_version": serializers.CharField(),
        "id": serializers.CharField(required=False),
        "outputs": inline_serializer(
            "V2Output",
            {
                "name": serializers.CharField(),
                "datatype": serializers.CharField(),
                "shape": serializers.ListField(child=serializers.IntegerField(min_value=0)),
                "data": _data,
            },
            many=True,
        ),
    },
)
V2Metadata = inline_serializer(
    "V2Metadata",
    {
        "name": serializers.CharField(),
        "versions": serializers.ListField(child=serializers.CharField()),
        "platform": serializers.CharField(),
        "inputs": V2Tensor(many=True),
        "outputs": V2Tensor(many=True),
        "parameters": serializers.DictField(help_text="The labels of each question, by its short name."),
    },
)
V2Ready = inline_serializer("V2Ready", {"name": serializers.CharField(), "ready": serializers.BooleanField()})

V2_ERRORS = {
    400: OpenApiResponse(V2Error, "Something in the request is wrong; nothing was stored."),
    401: OpenApiResponse(V2Error, "The API key is missing, unknown, malformed or revoked."),
    403: OpenApiResponse(V2Error, "The API key has not the scope that this needs."),
    404: OpenApiResponse(V2Error, "This key opens no such model, or the version does not answer."),
    409: OpenApiResponse(V2Error, "The project has no model yet."),
    411: OpenApiResponse(V2Error, "The body came without a Content-Length."),
    413: OpenApiResponse(V2Error, "Too many bytes."),
    429: OpenApiResponse(V2Error, "The key's limit is reached: try again after Retry-After."),
    504: OpenApiResponse(V2Error, "It would have taken longer than the request allows."),
    503: OpenApiResponse(V2Error, "Try again after the seconds in Retry-After."),
}

# A whole file, so that the example can be tried.
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
V2_EXAMPLES = [
    OpenApiExample(
        "One file",
        value={
            "inputs": [{"name": INPUT, "datatype": "BYTES", "shape": [1], "data": [_PIXEL]}],
            "parameters": {"top": 2},
        },
        request_only=True,
    ),
    OpenApiExample(
        "Its two likeliest labels",
        value={
            "model_name": "digits",
            "model_version": "12",
            "outputs": [
                {"name": "label", "datatype": "BYTES", "shape": [1, 2], "data": ["7", "1"]},
                {"name": "probability", "datatype": "FP32", "shape": [1, 2], "data": [0.93, 0.05]},
                {
                    "name": "prediction",
                    "datatype": "BYTES",
                    "shape": [1],
                    "data": ["0f8fad5b-d9cb-469f-a165-70867728950e"],
                },
                {"name": "arm", "datatype": "BYTES", "shape": [1], "data": ["champion"]},
                {"name": "version", "datatype": "INT32", "shape": [1], "data": [12]},
                {"name": "precision", "datatype": "BYTES", "shape": [1], "data": ["int8"]},
            ],
        },
        response_only=True,
        status_codes=["200"],
    ),
]
