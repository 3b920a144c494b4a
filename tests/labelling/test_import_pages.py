"""The import pages, from the upload to the list of what was refused."""

import io
import zipfile

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from labelling import tasks
from labelling.models import ImportJob, ImportRefusal, Item, Membership, Project
from labelling.services.imports import import_create
from labelling.services.workers import worker_beat
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return factories.project()


@pytest.fixture
def client(client: Client, project: Project) -> Client:
    client.force_login(factories.member(project, Membership.Role.MANAGER), _BACKEND)
    return client


_BACKEND = "django.contrib.auth.backends.ModelBackend"


def send(client: Client, project: Project, **files: bytes) -> tuple[int, str, ImportJob | None]:
    """POST files named `stem__suffix=bytes`; the status, the page after it, and the new job."""
    uploads = [SimpleUploadedFile(name.replace("__", "."), data) for name, data in files.items()]
    response = client.post(reverse("labelling:imports", args=[project.slug]), {"files": uploads}, follow=True)
    return response.status_code, response.content.decode(), project.import_jobs.first()


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "."), data)
    return out.getvalue()


def test_a_zip_is_uploaded_imported_by_the_worker_and_shown(client: Client, project: Project) -> None:
    status, page, job = send(client, project, my__zip=zipped(a__png=factories.png(1), b__txt=b"<b>no</b>"))
    assert status == 200
    assert job is not None
    assert job.state == "queued"
    assert 'hx-trigger="every 1s"' in page
    tasks.run_imports()
    url = reverse("labelling:import", args=[project.slug, job.pk])
    page = client.get(url, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in page, "htmx gets the part that changes"
    assert "hx-trigger" not in page, "a finished import is not asked for again"
    assert "not a JPEG, PNG or WebP image" in page
    assert "b.txt" in page
    assert Item.objects.get(project=project).name == "a.png"
    assert not default_storage.exists(job.source), "the upload is not kept twice"


def test_images_and_a_manifest_are_uploaded_together(client: Client, project: Project) -> None:
    manifest = b"file,place\na.png,Rome\n"
    send(client, project, places__csv=manifest, a__png=factories.png(1), b__png=factories.png(2))
    tasks.run_imports()
    kept = Item.objects.filter(project=project).order_by("id").values_list("name", "metadata")
    assert list(kept) == [("a.png", {"place": "Rome"}), ("b.png", {})]


def test_images_of_the_same_name_are_both_taken(client: Client, project: Project) -> None:
    uploads = [SimpleUploadedFile("a.png", factories.png(seed)) for seed in (1, 2)]
    client.post(reverse("labelling:imports", args=[project.slug]), {"files": uploads})
    tasks.run_imports()
    assert sorted(Item.objects.filter(project=project).values_list("name", flat=True)) == ["2 a.png", "a.png"]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "No file was chosen"),
        ({"a__csv": b"file\n"}, "A manifest alone brings no images"),
        ({"a__csv": b"file\n", "b__jsonl": b"{}", "c__png": b"x"}, "more than one manifest"),
        ({"a__zip": b"x", "b__zip": b"x"}, "A zip comes alone"),
    ],
)
def test_an_upload_of_no_use_is_answered_with_a_sentence(
    client: Client, project: Project, files: dict[str, bytes], sentence: str
) -> None:
    status, page, job = send(client, project, **files)
    assert (status, job) == (422, None)
    assert sentence in page


def test_a_zip_that_is_none_fails_with_a_sentence_on_the_page(client: Client, project: Project) -> None:
    _, _, job = send(client, project, my__zip=b"text")
    assert job is not None
    tasks.run_imports()
    page = client.get(reverse("labelling:import", args=[project.slug, job.pk])).content.decode()
    assert "This is not a zip file that can be read" in page
    assert not default_storage.exists(job.source)


def test_too_large_and_too_many_are_answered_before_the_body_is_kept(
    client: Client, project: Project, settings: LazySettings
) -> None:
    settings.MAX_UPLOAD_BYTES = 100
    status, page, _ = send(client, project, a__png=b"x" * 2 * 1024**2)
    assert status == 413
    assert "That is more than" in page
    status, page, _ = send(client, project, a__png=b"x" * 200)
    assert status == 422
    assert "Together the files are larger than" in page
    settings.DATA_UPLOAD_MAX_NUMBER_FILES = 2
    status, page, _ = send(client, project, a__png=b"x", b__png=b"x", c__png=b"x")
    assert status == 413
    assert "more than 2 files: send them as a zip" in page


def test_an_upload_needs_the_csrf_token(project: Project) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.member(project, Membership.Role.MANAGER), _BACKEND)
    assert send(client, project, a__png=factories.png(1))[0] == 403
    assert not project.import_jobs.exists()


def test_only_managers_see_imports_and_strangers_learn_nothing(project: Project) -> None:
    job = import_create(project=project, kind="zip", source="x", name="secret", uploaded=True, user=None)
    urls = [
        reverse("labelling:imports", args=[project.slug]),
        reverse("labelling:import", args=[project.slug, job.pk]),
        reverse("labelling:import", args=[project.slug, job.pk]) + "?refusals=csv",
    ]
    people = {
        403: [factories.member(project), factories.member(project, Membership.Role.REVIEWER)],
        404: [factories.user(), factories.member(factories.project(), Membership.Role.MANAGER)],
    }
    for status, users in people.items():
        for user in users:
            client = Client()
            client.force_login(user, _BACKEND)
            for url in urls:
                assert client.get(url).status_code == status
            assert send(client, project, a__png=b"x")[0] == status
    assert Client().get(urls[0]).status_code == 302
    assert project.import_jobs.count() == 1


def test_another_projects_import_is_not_found(client: Client, project: Project) -> None:
    other = import_create(
        project=factories.project(), kind="zip", source="x", name="x", uploaded=True, user=None
    )
    assert client.get(reverse("labelling:import", args=[project.slug, other.pk])).status_code == 404


def test_a_dead_worker_is_said_in_words(client: Client, project: Project) -> None:
    cache.clear()
    _, page, job = send(client, project, a__png=factories.png(1))
    assert job is not None
    assert "Waiting for a worker; none has been heard from." in page
    worker_beat(name="default")
    page = client.get(reverse("labelling:import", args=[project.slug, job.pk])).content.decode()
    assert "none has been heard from" not in page
    assert "Waiting for a worker to take it." in page


def test_names_from_strangers_are_text_on_pages_and_in_spreadsheets(client: Client, project: Project) -> None:
    job = import_create(
        project=project, kind="zip", source="x", name="<script>1</script>", uploaded=True, user=None
    )
    names = ["<script>2</script>", "=cmd()", *(f"{n}.png" for n in range(250))]
    ImportRefusal.objects.bulk_create(
        ImportRefusal(job=job, row=row, name=name, reason="No.") for row, name in enumerate(names, 1)
    )
    url = reverse("labelling:import", args=[project.slug, job.pk])
    page = client.get(url).content.decode()
    assert "<script>1" not in page
    assert "<script>2" not in page
    assert "1 to 200 of 252" in page
    assert "201 to 252 of 252" in client.get(url, {"page": 2}).content.decode()
    sheet = b"".join(client.get(url, {"refusals": "csv"}))
    assert sheet.count(b"\r\n") == 253
    assert b"\r\n2,'=cmd(),No.\r\n" in sheet
