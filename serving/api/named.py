"""A predict request that names its images: items that the project has, or URLs, where the installation
allows it.
"""

import json
from typing import Any

from django.conf import settings
from rest_framework.exceptions import NotFound, ParseError

from labelling.models import Project
from serving.api.base import Conflict, TooLarge
from serving.api.deadlines import told
from serving.core.network import UrlRefused
from serving.services.admission import Deadline
from serving.services.fetching import FetchFailed, images_fetch
from serving.services.items_named import ItemLost, NoSuchItem, TooManyBytes, items_read

MAX_URLS = 8
MAX_ITEMS = 64
MOST_BYTES = 32 * 1024 * 1024  # of all together
_ITEMS = 'Send a JSON object with a list of items, by number or SHA-256: {"items": [12, "9f2b..."]}.'
_URLS = 'Send a JSON object with a list of URLs: {"urls": ["https://example.org/7.png"]}.'


def images_named(body: bytes, project: Project, deadline: Deadline) -> list[bytes]:
    """Raises an APIException: all are read, or none is answered."""
    sent = _object(body)
    if "urls" in sent and settings.URL_IMAGES:
        return _fetched(sent["urls"], deadline)
    return _of_items(sent, project)


def _object(body: bytes) -> dict[str, Any]:
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ParseError("The body is not JSON: the reference page shows what to send.") from error
    if not isinstance(sent, dict):
        raise ParseError(_ITEMS)
    return sent


def _of_items(sent: dict[str, Any], project: Project) -> list[bytes]:
    names = sent.get("items")
    if "urls" in sent:
        raise ParseError("Images are not fetched from URLs here: send their bytes, or name items.")
    if not (isinstance(names, list) and names and all(type(one) in (int, str) for one in names)):
        raise ParseError(_ITEMS)
    if len(names) > MAX_ITEMS:
        raise TooLarge(f"A request names at most {MAX_ITEMS} items, not {len(names)}: send more requests.")
    try:
        return items_read(project=project, names=names, most=MOST_BYTES)
    except NoSuchItem as none:
        raise NotFound(str(none)) from none
    except TooManyBytes as many:
        raise TooLarge(str(many)) from many
    except ItemLost as lost:
        raise Conflict(str(lost)) from lost


def _fetched(urls: object, deadline: Deadline) -> list[bytes]:
    if not (isinstance(urls, list) and urls and all(isinstance(one, str) for one in urls)):
        raise ParseError(_URLS)
    if len(urls) > MAX_URLS:
        raise ParseError(f"A request names at most {MAX_URLS} URLs, not {len(urls)}: send more requests.")
    try:
        with told(deadline):
            return images_fetch(urls=urls, seconds=deadline.left, most=MOST_BYTES)
    except (UrlRefused, FetchFailed) as refusal:
        raise ParseError(str(refusal)) from refusal
