"""Behind the proxy that ends HTTPS every connection comes from the proxy; the visitor is whom it names.

The front of `config.front` is another such, which nothing here is to notice.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The visitor's address. Of those in X-Forwarded-For, only the last was written by the proxy itself."""
    named: str = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return named if settings.HTTPS and named else str(request.META.get("REMOTE_ADDR", ""))


Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def fronted(application: Application) -> Application:
    """The application as if the front were not there. It adds its visitor's address to X-Forwarded-For."""

    def unveiled(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        came, _, visitor = environ.pop("HTTP_X_FORWARDED_FOR", "").rpartition(",")
        environ["REMOTE_ADDR"] = visitor.strip()
        if came:
            environ["HTTP_X_FORWARDED_FOR"] = came
        return application(environ, start_response)

    return unveiled
