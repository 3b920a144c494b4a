import os
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper

from labelling.core.sources import SOURCES, SourceUnreadable, kind_of
from labelling.models import ImportJob, ImportRefusal, Project
from labelling.services.imports import import_claim, import_create, import_run
from labelling.services.workers import workers_seen

POLL_SECONDS = 0.25
# A worker says that it lives every few seconds.
SILENT_AFTER = 15.0


class Command(BaseCommand):
    help = (
        "Import images into a project: a folder, a zip, or a CSV or JSONL manifest next to its images. "
        "With --kind labels, a CSV or JSONL table of labels for images that are there."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's slug")
        parser.add_argument("path", type=Path)
        parser.add_argument("--kind", choices=["auto", *sorted(SOURCES)], default="auto")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--wait", action="store_true", help="show the worker's progress (the default)")
        how.add_argument("--no-wait", action="store_true", help="only leave the import to the worker")
        how.add_argument("--here", action="store_true", help="import in this process, without a worker")

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"There is no project '{options['project']}'.")
        # Not resolved: what a link points to may change, and the person knows it by this name.
        path = Path(os.path.abspath(options["path"]))
        try:
            kind = kind_of(path) if options["kind"] == "auto" else options["kind"]
            job = import_create(
                project=project, kind=kind, source=str(path), name=path.name, uploaded=False, user=None
            )
        except SourceUnreadable as reason:
            raise CommandError(str(reason)) from None
        if options["no_wait"]:
            self.stdout.write(f"Import {job.pk} of {path} is left to the worker.")
            return
        bar = _Bar(self.stdout)
        try:
            self._run(job, bar) if options["here"] else self._watch(job, bar)
        except KeyboardInterrupt:
            bar.end()
            raise CommandError(
                f"Not watching any more; a worker goes on with import {job.pk}, nothing is lost."
            ) from None
        bar.end()
        self._conclude(job)

    def _run(self, job: ImportJob, bar: "_Bar") -> None:
        claimed = import_claim(pk=job.pk)
        if claimed is None:
            # A worker was faster.
            self._watch(job, bar)
        else:
            import_run(job=claimed, on_progress=bar.show)

    def _watch(self, job: ImportJob, bar: "_Bar") -> None:
        warned = False
        while True:
            job.refresh_from_db()
            bar.show(job)
            if job.state in (ImportJob.State.DONE, ImportJob.State.FAILED):
                return
            if not warned and workers_seen().get("default", float("inf")) > SILENT_AFTER:
                warned = True
                bar.end()
                self.stderr.write(
                    "No worker has been heard of: the import waits for one. "
                    "Start Quern with `manage.py up`, or import in this process with --here."
                )
            time.sleep(POLL_SECONDS)

    def _conclude(self, job: ImportJob) -> None:
        job.refresh_from_db()
        for row, name, reason in ImportRefusal.objects.filter(job=job).values_list("row", "name", "reason"):
            self.stdout.write(f"refused: row {row}, {name or '(no name)'}: {reason}")
        self.stdout.write(
            f"{job.accepted:,} taken, {job.duplicates:,} there already, "
            f"{job.refused:,} refused, of {job.total or 0:,}."
        )
        if job.state == ImportJob.State.FAILED:
            raise CommandError(f"The import stopped: {job.error}")


class _Bar:
    """One line that is drawn over; nothing at all where the output is not a terminal."""

    WIDTH = 30

    def __init__(self, out: OutputWrapper) -> None:
        self._out = out
        self._drawn = False

    def show(self, job: ImportJob) -> None:
        if not self._out.isatty():
            return
        if job.total is None:
            text = f"{job.state} ..."
        else:
            done = job.cursor * self.WIDTH // max(job.total, 1)
            bar = "#" * done + "." * (self.WIDTH - done)
            text = f"[{bar}] {job.cursor:,} of {job.total:,}, {job.refused:,} refused"
        self._out.write(f"\r{text}\x1b[K", ending="")
        self._out.flush()
        self._drawn = True

    def end(self) -> None:
        if self._drawn:
            self._out.write("")
            self._drawn = False
