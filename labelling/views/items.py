from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import Http404, HttpResponse, HttpResponseNotModified
from django.shortcuts import get_object_or_404
from django.utils.http import parse_etags
from django.views import View

from labelling.models import Item
from labelling.selectors import project_for
from labelling.services.items import item_bytes
from labelling.views.access import SignedInRequest

# Nothing a browser would run: the formats are the import's own list, never what a file called itself.
_CONTENT_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


class ItemImageView(LoginRequiredMixin, View):
    """The image of an item, for the project's members. Its bytes never change, so a browser asks once."""

    def get(self, request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
        project = project_for(request.user, slug)
        item = get_object_or_404(Item, project=project, pk=pk)
        etag = f'"{item.digest}"'
        response: HttpResponse
        if etag in parse_etags(request.headers.get("If-None-Match", "")):
            response = HttpResponseNotModified()
        else:
            try:
                data = item_bytes(item=item)
            except FileNotFoundError:
                raise Http404(f"The storage has no bytes for item {item.pk}: restore {item.path}.") from None
            response = HttpResponse(data, content_type=_CONTENT_TYPES[item.format])
        response["ETag"] = etag
        response["Cache-Control"] = "private, max-age=31536000, immutable"
        response["X-Content-Type-Options"] = "nosniff"
        return response
