"""Imports: claimed by one process at a time, worked through in chunks, resumed from the cursor after a crash.

What a chunk did (items, refusals, counters, cursor) is committed in one transaction, on condition that
the job is still owned. Whatever dies in between, a chunk either counts once or is done again.
"""

import hashlib
import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import BinaryIO, cast

from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.db import DatabaseError, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from labelling.core.images import ImageRefused, inspect
from labelling.core.sources import SOURCES, Entry, EntryRefused, Origin, Source, SourceUnreadable
from labelling.core.sources.base import clean_text
from labelling.models import ImportJob, ImportRefusal, Project, User
from labelling.services.blobs import blob_put
from labelling.services.heartbeats import beating
from labelling.services.items import NewItem, item_path, items_add
from labelling.services.label_imports import labels_take

STALE_AFTER = timedelta(seconds=15)
CHUNK_ENTRIES = 100
# Large images make a chunk slow; the progress bar should move anyhow.
CHUNK_SECONDS = 1.0

logger = logging.getLogger(__name__)


class ImportTakenOver(RuntimeError):
    """Another process owns the job now: its heart was not heard for too long."""


@dataclass
class _Chunk:
    entries: int = 0
    items: list[NewItem] = field(default_factory=list)
    refusals: list[ImportRefusal] = field(default_factory=list)


def import_create(
    *, project: Project, kind: str, source: str, name: str, uploaded: bool, user: User | None
) -> ImportJob:
    """Queue an import of a local path, or of an upload that lies in storage. Raises SourceUnreadable."""
    if kind not in SOURCES:
        raise SourceUnreadable(f"'{kind}' is no kind of import; there are: {', '.join(sorted(SOURCES))}.")
    longest = ImportJob._meta.get_field("source").max_length or 0
    if len(source) > longest:
        raise SourceUnreadable(f"The path is longer than {longest} characters: {source[:60]}...")
    return ImportJob.objects.create(
        project=project,
        kind=kind,
        source=source,
        name=clean_text(name, 300),
        uploaded=uploaded,
        created_by=user,
    )


def import_claimable() -> bool:
    """Is there a job that nobody works on?"""
    return ImportJob.objects.filter(_claimable()).exists()


def import_claim_next() -> ImportJob | None:
    """Claim the oldest job that is queued, or whose worker has died; None when there is none."""
    for pk in ImportJob.objects.filter(_claimable()).order_by("id").values_list("pk", flat=True)[:10]:
        if claimed := import_claim(pk=pk):
            return claimed
    return None


def import_claim(*, pk: int) -> ImportJob | None:
    """Claim this job; None when another process has it, or it is finished."""
    owner = uuid.uuid4()
    ImportJob.objects.filter(_claimable(), pk=pk).update(
        state=ImportJob.State.RUNNING, owner=owner, heartbeat_at=Now()
    )
    return ImportJob.objects.select_related("project").filter(pk=pk, owner=owner).first()


def import_retry(*, job: ImportJob) -> None:
    """Queue a failed import again: it goes on behind what it took already.

    Raises ValidationError when it has not failed, or its upload is gone.
    """
    if not job.retriable:
        raise ValidationError("This import cannot be tried again: upload the images once more.")
    ImportJob.objects.filter(pk=job.pk, state=ImportJob.State.FAILED).update(
        state=ImportJob.State.QUEUED, error="", finished_at=None
    )


def import_run(*, job: ImportJob, on_progress: Callable[[ImportJob], None] | None = None) -> None:
    """Work through a claimed job to its end. What is wrong with its source stands in its `error` then.

    Raises ImportTakenOver when the job was lost to another process, which finishes it.
    """
    tell = on_progress or (lambda job: None)
    try:
        with beating(_mine(job)), _opened(job) as source:
            _set_total(job, source.total)
            tell(job)
            entries = source.entries(job.cursor)
            take = _take_labels if job.kind == ImportJob.Kind.LABELS else _take_images
            while take(job, entries):
                tell(job)
    except SourceUnreadable as reason:
        _finish(job, ImportJob.State.FAILED, str(reason), keep_upload=False)
    except OSError as error:
        logger.exception("import %s failed", job.pk)
        _finish(job, ImportJob.State.FAILED, f"Reading or storing a file failed: {error.strerror or error}.")
    except (ImportTakenOver, DatabaseError):
        # Not ours any more, or the database is away: whoever claims the job next goes on from the cursor.
        raise
    except Exception as error:
        sentence = f"An error in Quern itself stopped it ({type(error).__name__}); the worker's log has it."
        _finish(job, ImportJob.State.FAILED, sentence)
        raise
    else:
        _finish(job, ImportJob.State.DONE, keep_upload=False)
    tell(job)


def _claimable() -> Q:
    # The database's clock on both sides: workers on several machines need not agree on the time.
    return Q(state=ImportJob.State.QUEUED) | Q(
        state=ImportJob.State.RUNNING, heartbeat_at__lt=Now() - STALE_AFTER
    )


def _mine(job: ImportJob) -> QuerySet[ImportJob]:
    return ImportJob.objects.filter(pk=job.pk, owner=job.owner, state=ImportJob.State.RUNNING)


@contextmanager
def _opened(job: ImportJob) -> Iterator[Source]:
    kind = SOURCES[job.kind]
    if not job.uploaded:
        with kind.open(Origin(path=Path(job.source))) as source:
            yield source
        return
    try:
        stored = default_storage.open(job.source)
    except FileNotFoundError:
        raise SourceUnreadable("The upload is not in the storage any more: upload it again.") from None
    with stored, kind.open(Origin(stream=cast(BinaryIO, stored))) as source:
        yield source


def _set_total(job: ImportJob, total: int) -> None:
    if job.total is not None and job.total != total:
        raise SourceUnreadable(
            f"It had {job.total:,} entries when the import began and has {total:,} now: import it again, "
            "what was taken already is recognised."
        )
    job.total = total
    if not _mine(job).update(total=total, heartbeat_at=Now()):
        raise ImportTakenOver(f"{job} is run by another process.")


def _take_images(job: ImportJob, entries: Iterator[Entry]) -> int:
    """How many entries were dealt with; 0 at the end."""
    chunk = _read_chunk(job.project, entries)
    if chunk.entries:
        _commit_chunk(job, chunk)
    return chunk.entries


@transaction.atomic
def _take_labels(job: ImportJob, entries: Iterator[Entry]) -> int:
    rows = list(islice(entries, CHUNK_ENTRIES))
    if rows:
        taken = labels_take(job=job, entries=rows)
        _count(job, len(rows), taken.accepted, taken.duplicates, taken.refusals)
    return len(rows)


def _read_chunk(project: Project, entries: Iterator[Entry]) -> _Chunk:
    """Read, check and store the next entries. Outside any transaction: this is the slow part."""
    chunk = _Chunk()
    began = monotonic()
    for entry in entries:
        chunk.entries += 1
        try:
            data = entry.read()
            info = inspect(data)
        except (EntryRefused, ImageRefused) as reason:
            refusal = ImportRefusal(row=entry.row, name=entry.name, reason=clean_text(str(reason)))
            chunk.refusals.append(refusal)
        else:
            digest = hashlib.sha256(data).hexdigest()
            path = item_path(project=project, digest=digest, image_format=info.format)
            blob_put(path=path, data=data)
            item = NewItem(digest=digest, name=entry.name, info=info, size=len(data), metadata=entry.metadata)
            chunk.items.append(item)
        if chunk.entries == CHUNK_ENTRIES or monotonic() - began > CHUNK_SECONDS:
            break
    return chunk


@transaction.atomic
def _commit_chunk(job: ImportJob, chunk: _Chunk) -> None:
    accepted = items_add(project=job.project, new=chunk.items)
    _count(job, chunk.entries, accepted, len(chunk.items) - accepted, chunk.refusals)


def _count(
    job: ImportJob, entries: int, accepted: int, duplicates: int, refusals: list[ImportRefusal]
) -> None:
    """The last step of a chunk's transaction. Raises ImportTakenOver, and so undoes it, for another's job."""
    for refusal in refusals:
        refusal.job = job
    ImportRefusal.objects.bulk_create(refusals)
    counts = {
        "cursor": entries,
        "accepted": accepted,
        "duplicates": duplicates,
        "refused": len(refusals),
    }
    counted = {name: F(name) + count for name, count in counts.items()}
    if not _mine(job).filter(cursor=job.cursor).update(**counted, heartbeat_at=Now()):
        raise ImportTakenOver(f"{job} is run by another process.")
    for name, count in counts.items():
        setattr(job, name, getattr(job, name) + count)


def _finish(job: ImportJob, state: ImportJob.State, error: str = "", *, keep_upload: bool = True) -> None:
    """`keep_upload`: it may be read again. Otherwise its images are items now, or it can never be read."""
    drop = job.uploaded and not keep_upload
    upload = job.source
    changes = {"state": state, "error": clean_text(error), "source": "" if drop else upload}
    if not _mine(job).update(**changes, finished_at=Now()):
        raise ImportTakenOver(f"{job} is run by another process.")
    for name, value in changes.items():
        setattr(job, name, value)
    if drop:
        default_storage.delete(upload)
