"""Behind the proxy that ends HTTPS every connection comes from the proxy; the visitor is whom it names."""

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The visitor's address. Of those in X-Forwarded-For, only the last was written by the proxy itself."""
    named: str = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return named if settings.HTTPS and named else str(request.META.get("REMOTE_ADDR", ""))
