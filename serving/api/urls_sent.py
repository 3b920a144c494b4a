"""A predict request that names images by their URLs, where the installation allows it."""

import json

from rest_framework.exceptions import ParseError

from serving.api.deadlines import told
from serving.core.network import UrlRefused
from serving.services.admission import Deadline
from serving.services.fetching import FetchFailed, images_fetch

MAX_URLS = 8
MAX_FETCHED = 32 * 1024 * 1024


def images_behind(body: bytes, deadline: Deadline) -> list[bytes]:
    """Raises an APIException: all are fetched, or none is answered."""
    urls = _urls(body)
    try:
        with told(deadline):
            return images_fetch(urls=urls, seconds=deadline.left, most=MAX_FETCHED)
    except (UrlRefused, FetchFailed) as refusal:
        raise ParseError(str(refusal)) from refusal


def _urls(body: bytes) -> list[str]:
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ParseError("The body is not JSON: the reference page shows what to send.") from error
    urls = sent.get("urls") if isinstance(sent, dict) else None
    if not (isinstance(urls, list) and urls and all(isinstance(one, str) for one in urls)):
        raise ParseError('Send a JSON object with a list of URLs: {"urls": ["https://example.org/7.png"]}.')
    if len(urls) > MAX_URLS:
        raise ParseError(f"A request names at most {MAX_URLS} URLs, not {len(urls)}: send more requests.")
    return urls
