"""What the routes share: the sender as a user, and what they sent, checked, or one sentence of refusal."""

from typing import Any

from rest_framework.exceptions import NotAuthenticated, ParseError, PermissionDenied
from rest_framework.request import Request
from rest_framework.serializers import FloatField, Serializer, ValidationError

from labelling.models import User


def sender(request: Request) -> User:
    """The signed-in user, who is the one the page was made for if it says so.

    Without that, one person's answers would be stored as those of whoever has signed in to the browser since.
    """
    if not isinstance(request.user, User):
        raise NotAuthenticated
    meant = request.data.get("annotator") if isinstance(request.data, dict) else None
    if meant is not None and meant != request.user.pk:
        raise PermissionDenied("This page belongs to someone else than the person who is signed in now.")
    return request.user


class ExactSerializer(Serializer[dict[str, Any]]):
    """Refuses what it does not know: a misspelt setting would be left out without a word."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        known = [name for name, field in self.fields.items() if not field.read_only]
        if unknown := set(self.initial_data) - set(known):
            raise ValidationError(f"'{min(unknown)[:40]}' cannot be sent here, only: {', '.join(known)}.")
        for name in known:
            # Python takes true for 1.0, and the framework with it.
            if isinstance(self.fields[name], FloatField) and isinstance(self.initial_data.get(name), bool):
                raise ValidationError({name: "A valid number is required, not true or false."})
        return attrs


def checked(serializer: Serializer[dict[str, Any]]) -> dict[str, Any]:
    """The validated data. Raises ParseError (400) with one sentence on the first field that is wrong."""
    if not isinstance(serializer.initial_data, dict):
        raise ParseError("Send a JSON object, with the fields that the API's page names.")
    if serializer.is_valid():
        return dict(serializer.validated_data)
    field, message = _first(serializer.errors)
    raise ParseError(f"{field}: {message}" if field else message)


def _first(errors: object) -> tuple[str, str]:
    if isinstance(errors, dict):
        key, inner = next(iter(errors.items()))
        field, message = _first(inner)
        name = "" if key == "non_field_errors" else str(key)
        return (f"{name}.{field}" if field else name), message
    if isinstance(errors, list):
        return _first(next(one for one in errors if one))
    return "", str(errors)
