"""What the REST views of a project share: the API key opens exactly its own project."""

import logging
import math
import time
from collections.abc import Iterable

from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import HttpRequest, UnreadablePostError
from django.http.response import HttpResponseBase
from rest_framework import status
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    NotFound,
    ParseError,
    PermissionDenied,
)
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from serving.api.authentication import ApiKeyAuthentication
from serving.models import ApiKey, Scope
from serving.services.metrics import request_began, request_ended
from serving.services.prediction_log import CannotBeKept
from serving.services.throttle import TooManyRequests, request_admit

logger = logging.getLogger(__name__)

_MAY_NOT = {Scope.PREDICT: "ask for predictions", Scope.FEEDBACK: "give feedback"}


class Conflict(APIException):
    status_code = status.HTTP_409_CONFLICT


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE


class ComeBack(APIException):
    """Nothing is wrong with the request: sent again in a second, it will mostly be answered."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    wait = 1  # Django REST framework makes the Retry-After header of it


class SlowDown(APIException):
    status_code = status.HTTP_429_TOO_MANY_REQUESTS

    def __init__(self, key: ApiKey, wait: float) -> None:
        super().__init__(
            f"This key may ask {key.requests_per_second:g} times a second: wait as long as Retry-After says."
        )
        self.wait = math.ceil(wait)  # Django REST framework makes the Retry-After header of it


class JsonOnly(DefaultContentNegotiation):
    """Whatever a client says it accepts, it gets JSON; to weigh that takes longer than to decode an image."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


class ProjectApiView(APIView):
    api = "other"  # what its figures are called
    scope: Scope  # that a key must have
    began = 0.0  # of `time.monotonic`
    content_negotiation_class = JsonOnly
    authentication_classes = [ApiKeyAuthentication]
    permission_classes = [IsAuthenticated]

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        self.began = started = time.monotonic()
        answer = 500  # unless one comes
        request_began(self.api)
        try:
            response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
            answer = response.status_code
            return response
        finally:
            request_ended(self.api, answer, time.monotonic() - started)

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        super().initial(request, *args, **kwargs)
        if self.key.project.slug != kwargs["slug"]:
            # The same words whether it exists or not: a key learns nothing of other projects.
            raise NotFound(f"There is no project '{kwargs['slug']}' that this API key opens.")
        if self.scope not in self.key.scopes:
            raise PermissionDenied(
                f"This key may not {_MAY_NOT[self.scope]}: ask a manager of the project for one that may."
            )
        try:
            request_admit(key=self.key)
        except TooManyRequests as many:
            raise SlowDown(self.key, many.wait) from many

    @property
    def key(self) -> ApiKey:
        key = self.request.auth
        if not isinstance(key, ApiKey):
            raise TypeError("These views authenticate by ApiKeyAuthentication only.")
        return key

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, OperationalError | InterfaceError):
            logger.exception("The database did not answer")
            exc = ComeBack("The database does not answer at the moment. Try again in a second.")
        elif isinstance(exc, UnreadablePostError):
            exc = ParseError("The connection broke before the whole body had come.")
        elif isinstance(exc, CannotBeKept):
            logger.error("%s", exc)
            exc = ComeBack(str(exc))
        elif isinstance(exc, IntegrityError) and not ApiKey.objects.filter(pk=self.key.pk).exists():
            # It is believed for a moment after it was deleted, alone or with its project.
            exc = AuthenticationFailed("This API key is not known any more.")
        return super().handle_exception(exc)
