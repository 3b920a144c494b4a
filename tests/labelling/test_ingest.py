"""`manage.py ingest`, as a person at a terminal meets it."""

import io
import threading
from pathlib import Path

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection

from labelling import tasks
from labelling.models import ImportJob, Project
from labelling.services.workers import worker_beat
from tests import factories


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def images(path: Path, count: int = 3) -> Path:
    for seed in range(count):
        (path / f"{seed}.png").write_bytes(factories.png(seed))
    return path


def ingest(project: Project, path: Path, *options: str) -> tuple[str, str]:
    out, err = Terminal(), io.StringIO()
    call_command("ingest", project.slug, str(path), *options, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


@pytest.mark.django_db
def test_here_it_imports_in_this_process_and_lists_the_refused(tmp_path: Path) -> None:
    project = factories.project()
    (images(tmp_path) / "bad.png").write_text("x")
    out, _ = ingest(project, tmp_path, "--here")
    assert "[##############################] 4 of 4, 1 refused" in out
    assert "refused: row 4, bad.png: The file is not a JPEG, PNG or WebP image." in out
    assert out.endswith("3 taken, 0 there already, 1 refused, of 4.\n")


@pytest.mark.django_db(transaction=True)
def test_it_watches_what_the_worker_does(tmp_path: Path) -> None:
    project = factories.project()
    worker_beat(name="default")

    def work() -> None:
        while not project.import_jobs.filter(state="done").exists():
            tasks.run_imports()
        connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    out, err = ingest(project, images(tmp_path))
    worker.join()
    assert "3 taken, 0 there already, 0 refused, of 3." in out
    assert err == ""


@pytest.mark.django_db
def test_without_a_worker_it_says_so_and_ctrl_c_leaves_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press_ctrl_c(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("labelling.management.commands.ingest.time.sleep", press_ctrl_c)
    cache.clear()
    project = factories.project()
    err = io.StringIO()
    with pytest.raises(CommandError, match="a worker goes on with import"):
        call_command("ingest", project.slug, str(images(tmp_path)), stderr=err)
    assert "No worker has been heard of" in err.getvalue()
    assert ImportJob.objects.get(project=project).state == "queued"


@pytest.mark.django_db
def test_no_wait_leaves_the_job_to_the_worker(tmp_path: Path) -> None:
    project = factories.project()
    out, _ = ingest(project, images(tmp_path), "--no-wait")
    job = ImportJob.objects.get(project=project)
    assert (job.state, job.kind, job.source) == ("queued", "folder", str(tmp_path))
    assert f"Import {job.pk}" in out


@pytest.mark.django_db
def test_what_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    project = factories.project()
    (tmp_path / "bad.zip").write_text("x")
    (tmp_path / "notes.txt").write_text("x")
    for path, sentence in [
        (tmp_path / "gone", "There is nothing at"),
        (tmp_path / "notes.txt", "say what it is with --kind"),
        (tmp_path / "bad.zip", "The import stopped: This is not a zip file that can be read"),
    ]:
        with pytest.raises(CommandError, match=sentence):
            ingest(project, path, "--here")
    with pytest.raises(CommandError, match="no project 'nowhere'"):
        call_command("ingest", "nowhere", str(tmp_path))
