import gzip
import hashlib
import json
from pathlib import Path

import pytest

from config import demo
from config.first_run import Credentials, first_run
from labelling.models import ImportJob, Membership, Project, User
from serving.models import ApiKey


def test_the_digits_become_png_files_whose_labels_stand_apart(tmp_path: Path) -> None:
    folder = demo.write_pngs(demo.DEMOS["digits"], tmp_path, print)
    files = sorted(folder.iterdir())
    truth = json.loads((tmp_path / "demo" / "digits-truth.json").read_text())
    assert len(files) == demo.DEMOS["digits"].count
    assert {hashlib.sha256(file.read_bytes()).hexdigest() for file in files} == set(truth)
    assert set(truth.values()) == set(demo.DEMOS["digits"].labels)


def test_fashion_mnist_is_checked_for_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "FASHION_FOLDER", tmp_path)
    with pytest.raises(demo.DemoMissing, match="apt-get install dataset-fashion-mnist"):
        demo.check("fashion-mnist")
    demo.check("digits")
    demo.check("none")


def test_an_idx_file_is_read_in_its_own_shape(tmp_path: Path) -> None:
    content = bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in (2, 1, 3)) + bytes(range(6))
    (tmp_path / "a.gz").write_bytes(gzip.compress(content))
    assert demo._idx(tmp_path / "a.gz").tolist() == [[[0, 1, 2]], [[3, 4, 5]]]


@pytest.mark.django_db
def test_the_first_run_makes_people_a_key_and_the_demo_only_once(tmp_path: Path) -> None:
    kept: list[Credentials] = []
    first_run("digits", tmp_path, print, kept.append)
    (made,) = kept
    assert made.api_key is not None
    project = Project.objects.get(slug="digits")
    admin, annotator = User.objects.get(username="admin"), User.objects.get(username="annotator")
    assert admin.is_superuser
    assert admin.check_password(made.admin)
    assert annotator.check_password(made.annotator)
    assert Membership.objects.get(project=project, user=annotator).role == Membership.Role.ANNOTATOR
    # The secret itself is nowhere in the database.
    key = ApiKey.objects.get(project=project)
    assert made.api_key.rpartition("_")[2] not in f"{key.prefix} {key.secret_hash}"
    job = ImportJob.objects.get(project=project)
    assert (job.kind, job.state) == (ImportJob.Kind.FOLDER, ImportJob.State.QUEUED)

    first_run("digits", tmp_path, print, kept.append)
    assert kept == [made]
    assert (User.objects.count(), ImportJob.objects.count(), ApiKey.objects.count()) == (2, 1, 1)


@pytest.mark.django_db
def test_without_a_demo_there_are_people_and_no_project(tmp_path: Path) -> None:
    kept: list[Credentials] = []
    first_run("none", tmp_path, print, kept.append)
    assert [one.api_key for one in kept] == [None]
    assert not Project.objects.exists()


@pytest.mark.django_db
def test_no_user_stays_whose_password_could_not_be_kept(tmp_path: Path) -> None:
    def full(credentials: Credentials) -> None:
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        first_run("none", tmp_path, print, full)
    assert not User.objects.exists()
