"""Labels from a file: good rows are kept, each bad one gets a sentence, and what people said stays."""

import json
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from labelling.models import Annotation, Consensus, ImportJob, Item, Label, Membership, Project, Question
from labelling.services.annotations import annotation_record
from labelling.services.label_imports import NOBODY
from tests import factories
from tests.labelling.importing import counts, imported, ran

pytestmark = pytest.mark.django_db


def with_images(count: int, labels: tuple[str, ...] = ("cat", "dog")) -> tuple[Project, list[Item]]:
    project = factories.project(labels=labels)
    items = [factories.item(project) for _ in range(count)]
    for number, item in enumerate(items):
        Item.objects.filter(pk=item.pk).update(name=f"{number}.png")
    return project, items


def table(folder: Path, text: str | bytes, name: str = "labels.csv") -> Path:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder / name


def said(project: Project, of: str = "name") -> dict[str, str]:
    found = Consensus.objects.filter(project=project).values_list(f"item__{of}", "label__name")
    return dict(found)


def answered(project: Project, item: Item, name: str) -> None:
    question = project.questions.get()
    annotation_record(
        project=project,
        annotator=factories.member(project),
        uuid=uuid4(),
        item=item,
        question=question,
        label=Label.objects.get(question=question, name=name),
        seconds=1.0,
    )


def test_good_rows_are_kept_and_each_bad_one_gets_a_sentence(tmp_path: Path) -> None:
    project, items = with_images(5)
    Item.objects.filter(pk__in=[items[3].pk, items[4].pk]).update(name="same.png")
    answered(project, items[2], "cat")
    rows = [
        "image,sha256,label,agreement",
        "0.png,,cat,1.0",
        f"whatever,{items[1].digest.upper()},dog,1.0",
        "2.png,,dog,1.0",
        "2.png,,cat,1.0",
        "0.png,,cat,1.0",
        "same.png,,cat,1.0",
        "lost.png,,cat,1.0",
        "0.png,,bird,1.0",
        ",,cat,1.0",
        "0.png,,,1.0",
        "0.png,cat",
    ]
    job = imported(project, table(tmp_path, "\n".join(rows)), "labels")
    assert counts(job) == ("done", 11, 2, 2, 7)
    assert dict(job.refusals.values_list("row", "reason")) == {
        4: "Line 4: people have answered 'cat', which stays.",
        7: "Line 7 names 2 images of that name: give the SHA-256 of one.",
        8: "Line 8 names an image that the project does not have.",
        9: "Line 9: there is no label 'bird'; there are: cat, dog.",
        10: "Line 10 names no image: give its name or its SHA-256.",
        11: "Line 11 gives no label.",
        12: "Line 12 has 2 values where the header has 4.",
    }
    assert said(project) == {"0.png": "cat", "1.png": "dog", "2.png": "cat"}
    stored = Annotation.objects.filter(source="import")
    assert {one.annotator.username for one in stored} == {NOBODY}
    assert not stored[0].annotator.is_active
    assert not Membership.objects.filter(user__username=NOBODY).exists()
    assert not Item.objects.get(pk=items[0].pk).open

    # Sent again, with one label changed: what was imported is replaced, what people said is not.
    again = imported(
        project, table(tmp_path, f"sha256,label\n{items[0].digest},dog\n{items[1].digest},dog"), "labels"
    )
    assert counts(again) == ("done", 2, 1, 1, 0)
    assert said(project)["0.png"] == "dog"


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_what_the_export_writes_comes_back(form: str) -> None:
    project, items = with_images(3)
    for item, label in zip(items, ("cat", "dog", "cat"), strict=True):
        answered(project, item, label)
    reviewer = Client()
    reviewer.force_login(factories.member(project, "reviewer"))
    stream = reviewer.get(f"/projects/{project.slug}/export/labels.{form}").streaming_content  # type: ignore[attr-defined]  # a stream's only
    other = factories.project(labels=("dog", "cat"))
    for item in items:
        Item.objects.create(
            project=other,
            digest=item.digest,
            name=item.name,
            split=item.split,
            width=1,
            height=1,
            size=1,
            random_rank=1,
        )
    manager = Client()
    manager.force_login(factories.member(other, "manager"))
    file = SimpleUploadedFile(f"labels.{form}", b"".join(stream))
    response = manager.post(f"/api/v1/projects/{other.slug}/labels", {"file": file})
    assert response.status_code == 201, response.content
    job = ran(ImportJob.objects.get(pk=response.json()["id"]))
    assert counts(job) == ("done", 3, 3, 0, 0)
    assert said(other, "digest") == said(project, "digest")
    answer = manager.get(f"/api/v1/projects/{other.slug}/imports/{job.pk}").json()
    assert (answer["state"], answer["accepted"], answer["refusals"]) == ("done", 3, [])


def test_several_questions_are_told_apart_by_name(tmp_path: Path) -> None:
    project, _ = with_images(2)
    size = Question.objects.create(project=project, key="size", prompt="How large?", position=1)
    Label.objects.create(question=size, name="1", position=0)
    first = project.questions.exclude(pk=size.pk).get().key
    rows = [
        {"image": "0.png", "question": "size", "label": 1},
        {"image": "0.png", "question": first, "label": "cat"},
        {"image": "1.png", "label": "cat"},
        {"image": "1.png", "question": "colour", "label": "cat"},
        [1],
    ]
    text = "\n".join(json.dumps(row) for row in rows) + "\n{broken"
    job = imported(project, table(tmp_path, text, "labels.jsonl"), "labels")
    assert counts(job) == ("done", 6, 2, 0, 4)
    reasons = list(job.refusals.values_list("reason", flat=True))
    assert reasons[0] == f"Line 3 names no question; there are: {first}, size."
    assert reasons[1] == f"Line 4: there is no question 'colour'; there are: {first}, size."
    assert reasons[2] == "Line 5 is not a JSON object with 'image' (or 'sha256') and 'label'."
    assert reasons[3].startswith("Line 6 is not JSON (")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            b"a,b\n1,2",
            "The first line must name the columns 'image' (or 'sha256') and 'label'; it says: a, b.",
        ),
        (b"image,label\n", "The file has a header and no rows."),
        (b"image,label,label\n1,2,3", "The first line names a column twice."),
        (b"image,label\nx,\xff", "Line 2 of the file is not UTF-8 text: save it as UTF-8."),
        (b"  ", "is empty."),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_one_sentence(tmp_path: Path, text: bytes, words: str) -> None:
    project, _ = with_images(1)
    job = imported(project, table(tmp_path, text), "labels")
    assert job.state == "failed"
    assert words in job.error
    assert not Annotation.objects.filter(project=project).exists()


def test_a_killed_import_goes_on_and_stores_each_row_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labelling.services.imports.CHUNK_ENTRIES", 2)
    project, _ = with_images(5)
    path = table(tmp_path, "image,label\n" + "\n".join(f"{number}.png,cat" for number in range(5)))
    job = imported(project, path, "labels")
    ImportJob.objects.filter(pk=job.pk).update(state="queued", cursor=2, finished_at=None, accepted=2)
    again = ran(ImportJob.objects.get(pk=job.pk))
    assert counts(again) == ("done", 5, 2, 3, 0)
    assert Annotation.objects.filter(project=project).count() == 5


def test_a_manager_sends_labels_from_the_page(client: Client) -> None:
    project, _ = with_images(1)
    client.force_login(factories.member(project, "manager"))
    page = f"/projects/{project.slug}/imports/"
    assert "Import labels" in client.get(page).content.decode()
    refused = client.post(page, {"labels": SimpleUploadedFile("labels.xlsx", b"x")})
    assert refused.status_code == 422
    assert "Labels come as a .csv or .jsonl file" in refused.content.decode()
    sent = client.post(page, {"labels": SimpleUploadedFile("labels.csv", b"image,label\n0.png,cat\n")})
    job = ran(ImportJob.objects.get(project=project))
    assert sent.headers["Location"] == f"{page}{job.pk}/"
    assert said(project) == {"0.png": "cat"}
    api = client.post(f"/api/v1/projects/{project.slug}/labels", {"file": "text"})
    assert (api.status_code, "multipart form" in api.content.decode()) == (400, True)
