"""Imports into the real database and storage: what is counted, refused, tried again."""

import hashlib
import io
import zipfile
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from labelling.core.draws import is_holdout
from labelling.models import Item
from labelling.services.imports import (
    import_claim,
    import_create,
    import_retry,
)
from labelling.services.items import item_bytes
from tests import factories
from tests.labelling.importing import counts, folder, imported, ran


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
