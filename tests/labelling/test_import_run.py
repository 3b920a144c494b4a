"""Imports into the real database and storage: what is counted, resumed, taken over, refused."""

import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from django.conf import settings as django_settings
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from labelling import tasks
from labelling.core.draws import is_holdout
from labelling.models import ImportJob, Item, Project
from labelling.services import imports
from labelling.services.imports import (
    ImportTakenOver,
    import_claim,
    import_claim_next,
    import_claimable,
    import_create,
    import_retry,
    import_run,
)
from labelling.services.items import item_bytes
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


@pytest.mark.django_db
def test_an_import_takes_the_good_and_lists_what_it_refused(tmp_path: Path) -> None:
    project = factories.project()
    folder(tmp_path, 3)
    (tmp_path / "again.png").write_bytes((tmp_path / "00001.png").read_bytes())
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "wrong-ending.jpg").write_bytes(factories.png(99))
    job = imported(project, tmp_path)
    assert counts(job) == ("done", 6, 4, 1, 1)
    assert job.finished_at is not None
    refusal = job.refusals.get()
    assert (refusal.row, refusal.name) == (5, "text.png")
    assert refusal.reason == "The file is not a JPEG, PNG or WebP image."
    item = Item.objects.get(project=project, name="wrong-ending.jpg")
    assert (item.format, item.width, item.path[-4:]) == ("PNG", 16, ".png")
    assert item_bytes(item=item) == factories.png(99)
    assert item.digest == hashlib.sha256(factories.png(99)).hexdigest()
    assert item.size == len(factories.png(99))


@pytest.mark.django_db
def test_an_image_comes_once_a_project_whatever_brings_it(tmp_path: Path) -> None:
    project, other = factories.project(), factories.project()
    source = folder(tmp_path / "a", 5)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for file in source.iterdir():
            archive.write(file, f"renamed-{file.name}")
    assert counts(imported(project, source)) == ("done", 5, 5, 0, 0)
    assert counts(imported(project, tmp_path / "a.zip", "zip")) == ("done", 5, 0, 5, 0)
    assert counts(imported(other, tmp_path / "a.zip", "zip")) == ("done", 5, 5, 0, 0)
    assert not Item.objects.filter(project=project, name__startswith="renamed").exists()


@pytest.mark.django_db
def test_a_manifests_metadata_and_order_are_kept(tmp_path: Path) -> None:
    project = factories.project()
    folder(tmp_path, 3)
    lines = ['{"file": "00002.png", "place": "Rome"}', '{"file": "00000.png"}', '{"file": "no.png"}']
    (tmp_path / "m.jsonl").write_text("\n".join(lines))
    job = imported(project, tmp_path / "m.jsonl", "jsonl")
    assert counts(job) == ("done", 3, 2, 0, 1)
    kept = Item.objects.filter(project=project).order_by("id").values_list("name", "metadata")
    assert list(kept) == [("00002.png", {"place": "Rome"}), ("00000.png", {})]


@pytest.mark.django_db
def test_the_holdout_is_near_its_share_and_the_same_in_any_order(tmp_path: Path) -> None:
    project = factories.project(seed=7, holdout_share=0.2)
    twin = factories.project(seed=7, holdout_share=0.2)
    imported(project, folder(tmp_path / "all", 400))
    imported(twin, folder(tmp_path / "late", 200, start=200))
    imported(twin, folder(tmp_path / "early", 200))
    drawn = dict(Item.objects.filter(project=project).values_list("digest", "split"))
    assert drawn == dict(Item.objects.filter(project=twin).values_list("digest", "split"))
    ranks = Item.objects.filter(project=project).values_list("digest", "random_rank")
    assert dict(ranks) == dict(Item.objects.filter(project=twin).values_list("digest", "random_rank"))
    for digest, split in drawn.items():
        assert (split == "holdout") == is_holdout(digest, 7, 0.2)
    # Five standard deviations of a binomial.
    assert abs(sum(split == "holdout" for split in drawn.values()) - 80) < 5 * (400 * 0.2 * 0.8) ** 0.5


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["folder", "zip", "csv", "jsonl"])
def test_a_source_that_is_gone_fails_the_job_with_a_sentence(tmp_path: Path, kind: str) -> None:
    job = imported(factories.project(), tmp_path / "gone", kind)
    assert job.state == "failed"
    assert str(tmp_path) in job.error
    assert job.error.endswith(".")
    assert import_claim(pk=job.pk) is None


@pytest.mark.django_db
def test_a_storage_that_cannot_write_fails_the_job_with_a_sentence(tmp_path: Path) -> None:
    project = factories.project()
    blocked = Path(default_storage.path(f"projects/{project.pk}"))
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("a file where the folder should be")
    job = imported(project, folder(tmp_path / "a", 2))
    assert (job.state, job.error) == ("failed", "Reading or storing a file failed: Not a directory.")


@pytest.mark.django_db
def test_a_failed_import_goes_on_where_it_stopped_when_tried_again(tmp_path: Path) -> None:
    project = factories.project()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(3):
            archive.writestr(f"{number}.png", factories.png(number))
    upload = default_storage.save("uploads/some.zip", ContentFile(packed.getvalue()))
    job = import_create(project=project, kind="zip", source=upload, name="some.zip", uploaded=True, user=None)
    blocked = Path(default_storage.path(f"projects/{project.pk}"))
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("a file where the folder should be")
    job = ran(job)
    assert (job.state, job.retriable, default_storage.exists(upload)) == ("failed", True, True)

    blocked.unlink()
    import_retry(job=job)
    job = ran(job)
    assert counts(job) == ("done", 3, 3, 0, 0)
    assert not default_storage.exists(upload)
    with pytest.raises(ValidationError, match="cannot be tried again"):
        import_retry(job=job)


@pytest.mark.django_db
def test_a_file_that_a_crash_cut_off_is_written_again(tmp_path: Path) -> None:
    project = factories.project()
    data = factories.png(1, size=4)
    digest = hashlib.sha256(data).hexdigest()
    cut = Path(default_storage.path(f"projects/{project.pk}/items/{digest[:2]}/{digest}.png"))
    cut.parent.mkdir(parents=True)
    cut.write_bytes(data[:20])
    imported(project, folder(tmp_path / "a", 1, start=1))
    assert item_bytes(item=Item.objects.get(project=project)) == data
    assert [file.name for file in cut.parent.iterdir()] == [cut.name], "no unfinished file stays"


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
