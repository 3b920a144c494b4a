"""Who works on an import: one process at a time, and another one when that is gone."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from django.conf import settings as django_settings
from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from labelling import tasks
from labelling.models import ImportJob, Item
from labelling.services import imports
from labelling.services.imports import (
    ImportTakenOver,
    import_claim,
    import_claim_next,
    import_claimable,
    import_run,
)
from labelling.services.items import item_bytes
from tests import factories
from tests.labelling.importing import counts, folder, imported, queued


@pytest.mark.django_db
def test_a_job_is_claimed_once_and_taken_over_only_when_its_heart_stopped(tmp_path: Path) -> None:
    job = queued(factories.project(), tmp_path)
    assert import_claimable()
    assert import_claim_next() == job
    assert not import_claimable()
    assert import_claim_next() is None
    ImportJob.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(seconds=16))
    assert import_claim_next() == job


@pytest.mark.django_db
def test_the_tick_asks_once_and_sends_work_only_when_there_is_some(
    tmp_path: Path, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    broker = redis.Redis.from_url(django_settings.REDIS_URL)
    broker.delete("default")
    with django_assert_num_queries(1):
        tasks.tick()
    assert broker.llen("default") == 0
    queued(factories.project(), tmp_path)
    tasks.tick()
    assert broker.llen("default") == 1
    broker.delete("default")
    broker.close()


@pytest.mark.django_db
def test_who_lost_the_job_adds_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "CHUNK_ENTRIES", 4)
    project = factories.project()
    first = import_claim(pk=queued(project, folder(tmp_path, 12)).pk)
    assert first is not None

    def lose(job: ImportJob) -> None:
        if job.cursor == 4:
            ImportJob.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(seconds=16))
            assert import_claim_next() is not None

    with pytest.raises(ImportTakenOver):
        import_run(job=first, on_progress=lose)
    first.refresh_from_db()
    assert counts(first) == ("running", 4, 4, 0, 0)
    assert Item.objects.filter(project=project).count() == 4


@pytest.mark.django_db
def test_a_folder_that_changed_under_a_stopped_import_is_not_resumed_blindly(tmp_path: Path) -> None:
    job = queued(factories.project(), folder(tmp_path, 3))
    ImportJob.objects.filter(pk=job.pk).update(total=4, cursor=2)
    claimed = import_claim(pk=job.pk)
    assert claimed is not None
    import_run(job=claimed)
    claimed.refresh_from_db()
    assert claimed.state == "failed"
    assert "had 4 entries when the import began and has 3 now" in claimed.error


@pytest.mark.django_db(transaction=True)
def test_a_process_killed_in_the_middle_is_resumed_without_loss_or_double(tmp_path: Path) -> None:
    project = factories.project()
    source = folder(tmp_path / "images", 900)
    for number in range(30):
        (source / f"{number:05}-bad.png").write_text("not an image")
        (source / f"{number:05}-twin.png").write_bytes((source / f"{number:05}.png").read_bytes())
    database = os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{connection.settings_dict['NAME']}"
    process = subprocess.Popen(
        [sys.executable, "manage.py", "ingest", project.slug, str(source), "--here"],
        cwd=django_settings.BASE_DIR,
        env={**os.environ, "DATABASE_URL": database, "QUERN_STORAGE": str(default_storage.path(""))},
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not ImportJob.objects.filter(project=project, cursor__gt=0).exists():
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    job = ImportJob.objects.get(project=project)
    assert job.state == "running"
    assert 0 < job.cursor < 960
    assert Item.objects.filter(project=project).count() == job.accepted, "counted as committed"

    assert import_claim_next() is None, "its heart may still beat"
    ImportJob.objects.update(heartbeat_at=timezone.now() - timedelta(seconds=16))
    tasks.run_imports()
    job.refresh_from_db()
    assert counts(job) == ("done", 960, 900, 30, 30)
    assert Item.objects.filter(project=project).count() == 900
    assert job.refusals.count() == 30
    for item in Item.objects.filter(project=project):
        assert hashlib.sha256(item_bytes(item=item)).hexdigest() == item.digest


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_the_same_images_at_once_take_each_image_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "CHUNK_ENTRIES", 7)
    project = factories.project()
    source = folder(tmp_path / "images", 60)
    names = [file.name for file in sorted(source.iterdir())]
    (source / "m.csv").write_text("\n".join(["file", *names]))
    (source / "r.csv").write_text("\n".join(["file", *reversed(names)]))
    jobs: list[ImportJob] = []

    def run(manifest: str) -> None:
        jobs.append(imported(project, source / manifest, "csv"))
        connection.close()

    threads = [threading.Thread(target=run, args=(manifest,)) for manifest in ("m.csv", "r.csv")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [job.state for job in jobs] == ["done", "done"]
    assert sum(job.accepted for job in jobs) == sum(job.duplicates for job in jobs) == 60
    assert Item.objects.filter(project=project).count() == 60
