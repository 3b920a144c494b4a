"""What people said, as a file: complete, readable by others' programs, piece by piece."""

import csv
import io
import json
from uuid import uuid4

import pytest
from django.test import Client

from labelling.models import Item, Project, User
from labelling.services.annotations import annotation_record, annotation_undo
from tests import factories

pytestmark = pytest.mark.django_db


def taken(client: Client, project: Project, file: str) -> str:
    response = client.get(f"/projects/{project.slug}/export/{file}")
    assert response.status_code == 200
    assert response["Content-Disposition"] == f'attachment; filename="{project.slug}-{file}"'
    return b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]  # a stream's only


def said(project: Project) -> tuple[User, list[Item]]:
    """Two answers that differ in their quoting, one that was taken back, a skip."""
    person, question = factories.member(project), project.questions.get()
    items = [factories.item(project) for _ in range(4)]
    Item.objects.filter(pk=items[0].pk).update(name='a, "b"\nc.png', metadata={"shelf": "Äpfel, 3"})
    for item, label in zip(items, ("cat", "dog", "cat", None), strict=True):
        annotation_record(
            project=project,
            annotator=person,
            uuid=(uuid := uuid4()),
            item=item,
            question=question,
            label=question.labels.get(name=label) if label else None,
            seconds=1.5,
        )
        if item == items[2]:
            annotation_undo(project=project, annotator=person, uuid=uuid4(), undoes=uuid)
    return person, items


def test_both_forms_hold_every_label_and_nothing_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labelling.core.tables.PIECE", 1)
    project = factories.project()
    _, items = said(project)
    client = Client()
    client.force_login(factories.member(project, "reviewer"))
    lines = [json.loads(line) for line in taken(client, project, "labels.jsonl").splitlines()]
    assert [(row["sha256"], row["label"]) for row in lines] == [
        (items[0].digest, "cat"),
        (items[1].digest, "dog"),
    ]
    assert lines[0]["metadata"] == {"shelf": "Äpfel, 3"}
    assert lines[0]["split"] in ("pool", "holdout")
    table = list(csv.DictReader(io.StringIO(taken(client, project, "labels.csv"), newline="")))
    assert [row | {"metadata": json.loads(row["metadata"])} for row in table] == [
        {name: value if name == "metadata" else str(value) for name, value in row.items()} for row in lines
    ]


def test_everyones_answers_say_who_gave_them_and_that_a_skip_has_no_label() -> None:
    project = factories.project()
    person, items = said(project)
    client = Client()
    client.force_login(factories.member(project, "manager"))
    rows = [json.loads(line) for line in taken(client, project, "answers.jsonl").splitlines()]
    assert [(row["sha256"], row["label"]) for row in rows] == [
        (items[0].digest, "cat"),
        (items[1].digest, "dog"),
        (items[3].digest, None),
    ]
    assert {row["annotator"] for row in rows} == {person.username}
    assert len(list(csv.reader(io.StringIO(taken(client, project, "answers.csv"), newline="")))) == 4


def test_a_project_without_labels_gives_an_empty_file_and_an_unknown_name_a_404(client: Client) -> None:
    project = factories.project()
    client.force_login(factories.member(project, "manager"))
    assert taken(client, project, "labels.csv") == ""
    for name in ("labels.xml", "secrets.csv", "labels", "labels.csv.jsonl"):
        assert client.get(f"/projects/{project.slug}/export/{name}").status_code == 404
