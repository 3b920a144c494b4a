"""Imports as a worker does them, and folders to import."""

from pathlib import Path

from labelling.models import ImportJob, Project
from labelling.services.imports import (
    import_claim,
    import_create,
    import_run,
)
from tests import factories


def queued(project: Project, path: Path, kind: str = "folder") -> ImportJob:
    return import_create(
        project=project, kind=kind, source=str(path), name=path.name, uploaded=False, user=None
    )


def imported(project: Project, path: Path, kind: str = "folder") -> ImportJob:
    return ran(queued(project, path, kind))


def ran(job: ImportJob) -> ImportJob:
    claimed = import_claim(pk=job.pk)
    assert claimed is not None
    import_run(job=claimed)
    claimed.refresh_from_db()
    return claimed


def counts(job: ImportJob) -> tuple[str, int, int, int, int]:
    return job.state, job.cursor, job.accepted, job.duplicates, job.refused


def folder(path: Path, images: int, start: int = 0) -> Path:
    path.mkdir(exist_ok=True)
    for seed in range(start, start + images):
        (path / f"{seed:05}.png").write_bytes(factories.png(seed, size=4))
    return path
