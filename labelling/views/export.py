from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import Http404, HttpResponseBase, StreamingHttpResponse
from django.views import View

from labelling.core.tables import FORMS
from labelling.models import Membership
from labelling.selectors import answer_rows, label_rows, project_for
from labelling.views.access import SignedInRequest

_ROWS = {"labels": label_rows, "answers": answer_rows}


class ExportView(LoginRequiredMixin, View):
    """A project's labels or everyone's answers as a file, for reviewers: it says who answered what."""

    def get(self, request: SignedInRequest, slug: str, file: str) -> HttpResponseBase:
        project = project_for(request.user, slug, Membership.Role.REVIEWER)
        what, _, form = file.partition(".")
        if what not in _ROWS or form not in FORMS:
            names = ", ".join(f"{one}.{other}" for one in _ROWS for other in FORMS)
            raise Http404(f"There is no export '{file[:40]}', only {names}.")
        content_type, written = FORMS[form]
        response = StreamingHttpResponse(written(_ROWS[what](project)), content_type=content_type)
        response["Content-Disposition"] = f'attachment; filename="{project.slug}-{what}.{form}"'
        response["Cache-Control"] = "no-store"
        return response
