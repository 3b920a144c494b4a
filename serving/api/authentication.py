from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.request import Request

from serving.models import ApiKey
from serving.services.keys import KeyRefused, key_find


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer qk_...`, or `X-Api-Key: qk_...`."""

    def authenticate(self, request: Request) -> tuple[ApiKey, ApiKey]:
        plain = _sent_key(request)
        try:
            key = key_find(plain=plain)
        except KeyRefused as refusal:
            raise AuthenticationFailed(str(refusal)) from refusal
        return key, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="quern"'


def _sent_key(request: Request) -> str:
    header = str(request.META.get("HTTP_AUTHORIZATION", ""))
    if not header:
        plain = str(request.META.get("HTTP_X_API_KEY", ""))
        if not plain:
            raise NotAuthenticated("Send an API key of the project: 'Authorization: Bearer qk_...'.")
        return plain.strip()
    scheme, _, plain = header.partition(" ")
    if scheme.lower() != "bearer" or not plain.strip():
        raise AuthenticationFailed("The Authorization header must read 'Bearer qk_...', with an API key.")
    return plain.strip()


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its metaclass hook is untyped
    target_class = "serving.api.authentication.ApiKeyAuthentication"
    name = ["apiKey", "apiKeyHeader"]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[str]]]:
        """Either of the two headers will do."""
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, str]]:
        return [
            {
                "type": "http",
                "scheme": "bearer",
                "description": "An API key of the project: qk_<prefix>_<secret>.",
            },
            {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "The same key."},
        ]
