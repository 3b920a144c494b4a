"""The curl lines on the pages."""

import base64
import shlex

from django.http import HttpRequest
from django.urls import reverse

from labelling.models import Project
from labelling.services.items import item_bytes
from serving import selectors

# An image of at most so many bytes is written out in the line itself, which then works wherever it is pasted.
_SPELLED_OUT = 3000


def predict_url(request: HttpRequest, project: Project) -> str:
    return request.build_absolute_uri(reverse("serving:predict", args=[project.slug]))


def predict_example(request: HttpRequest, project: Project, plain_key: str) -> str:
    url = shlex.quote(predict_url(request, project))
    header = shlex.quote(f"Authorization: Bearer {plain_key}")
    item = selectors.sample_item(project, _SPELLED_OUT)
    if item is not None:
        try:
            image = base64.b64encode(item_bytes(item=item)).decode()
        except FileNotFoundError:
            # The item's file is gone from storage: other pages say so, the example can do without.
            pass
        else:
            kind = shlex.quote(f"Content-Type: image/{item.format.lower()}")
            return f"echo {image} | base64 -d | curl -H {header} -H {kind} --data-binary @- {url}"
    return f"curl -H {header} -F image=@image.png {url}"
