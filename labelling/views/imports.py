import csv
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import TooManyFilesSent, ValidationError
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from labelling.models import ImportJob, Membership, Project
from labelling.selectors import project_for, role_of
from labelling.services.imports import import_retry
from labelling.services.uploads import UploadRefused, labels_upload_create, upload_create, upload_limit
from labelling.services.workers import workers_seen
from labelling.views.access import SignedInRequest

JOBS_A_PAGE = 50
REFUSALS_A_PAGE = 200
# A worker says that it lives every few seconds.
SILENT_AFTER = 15.0
_UNFINISHED = (ImportJob.State.QUEUED, ImportJob.State.RUNNING)
# What a multipart body adds to its files: boundaries and headers.
_FORM_BYTES = 1024**2


# Exempt from the middleware's check only: it would read the whole body before anybody asked how large it is.
# The check is made by `_upload`, which alone does anything.
@method_decorator(csrf_exempt, name="dispatch")
class ImportsView(LoginRequiredMixin, View):
    """What was imported, and the form that sends more."""

    def get(self, request: SignedInRequest, slug: str) -> HttpResponse:
        return _jobs_page(request, project_for(request.user, slug, Membership.Role.MANAGER))

    def post(self, request: SignedInRequest, slug: str) -> HttpResponseBase:
        project = project_for(request.user, slug, Membership.Role.MANAGER)
        if int(request.META.get("CONTENT_LENGTH") or 0) > settings.MAX_UPLOAD_BYTES + _FORM_BYTES:
            sentence = f"That is more than {upload_limit()}: send it in parts, or use manage.py ingest."
            return _jobs_page(request, project, sentence, status=413)
        try:
            request.FILES.keys()
        except TooManyFilesSent:
            sentence = f"Those are more than {_most_files():,} files: send them as a zip."
            return _jobs_page(request, project, sentence, status=413)
        return _upload(request, project)


class ImportView(LoginRequiredMixin, View):
    """One import: how far it is, and what it refused. Asked by htmx, only the part that changes."""

    def get(self, request: SignedInRequest, slug: str, pk: int) -> HttpResponseBase:
        project = project_for(request.user, slug, Membership.Role.MANAGER)
        job = get_object_or_404(ImportJob, project=project, pk=pk)
        if request.GET.get("refusals") == "csv":
            return _refusals_csv(job)
        pages = Paginator(job.refusals.order_by("row"), REFUSALS_A_PAGE)
        context = {
            **_context(request, project),
            "job": job,
            "unfinished": job.state in _UNFINISHED,
            "refusals": pages.get_page(request.GET.get("page")),
            "worker_silent": job.state in _UNFINISHED and _worker_is_silent(),
        }
        template = "import_progress" if request.headers.get("HX-Request") else "import"
        return render(request, f"labelling/{template}.html", context)

    def post(self, request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
        """Try a failed import again."""
        project = project_for(request.user, slug, Membership.Role.MANAGER)
        try:
            import_retry(job=get_object_or_404(ImportJob, project=project, pk=pk))
        except ValidationError as error:
            messages.error(request, error.messages[0])
        return redirect("labelling:import", slug, pk)


@csrf_protect
def _upload(request: SignedInRequest, project: Project) -> HttpResponse:
    try:
        if "labels" in request.FILES:
            table = request.FILES.getlist("labels")[0]
            job = labels_upload_create(project=project, file=table, user=request.user)
        else:
            job = upload_create(project=project, files=request.FILES.getlist("files"), user=request.user)
    except UploadRefused as reason:
        return _jobs_page(request, project, str(reason), status=422)
    messages.success(request, f"{job.name} has arrived.")
    return redirect("labelling:import", project.slug, job.pk)


def _jobs_page(
    request: SignedInRequest, project: Project, error: str = "", status: int = 200
) -> HttpResponse:
    context = {
        **_context(request, project),
        "jobs": Paginator(project.import_jobs.all(), JOBS_A_PAGE).get_page(request.GET.get("page")),
        "error": error,
        "limit": upload_limit(),
        "most_files": _most_files(),
    }
    return render(request, "labelling/imports.html", context, status=status)


def _context(request: SignedInRequest, project: Project) -> dict[str, Any]:
    return {"project": project, "role": role_of(request.user, project), "tab": "imports"}


def _most_files() -> int:
    return settings.DATA_UPLOAD_MAX_NUMBER_FILES or 0


def _worker_is_silent() -> bool:
    return workers_seen().get("default", float("inf")) > SILENT_AFTER


class _Echo:
    """A file for csv.writer that hands each line on."""

    def write(self, line: str) -> str:
        return line


def _refusals_csv(job: ImportJob) -> StreamingHttpResponse:
    def lines() -> Iterator[str]:
        writer = csv.writer(_Echo())
        yield writer.writerow(["row", "file", "reason"])
        for refusal in job.refusals.order_by("row").iterator():
            yield writer.writerow([refusal.row, _inert(refusal.name), refusal.reason])

    return StreamingHttpResponse(
        lines(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="import-{job.pk}-refused.csv"'},
    )


def _inert(text: str) -> str:
    """A spreadsheet would run a cell that begins like a formula; file names are chosen by strangers."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
