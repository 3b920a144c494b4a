"""The simulated annotators against a real server."""

import io
import json
from hashlib import sha256
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from pytest_django.live_server_helper import LiveServer

from labelling.models import Annotation, Consensus, Item, Project
from tests import factories


def demo(folder: Path, items: int = 12) -> tuple[Project, Path]:
    project = factories.project(holdout_queue_share=0.5)
    truth = {}
    for number in range(items):
        item = factories.item(project, split=Item.Split.HOLDOUT if number % 3 == 0 else Item.Split.POOL)
        with default_storage.open(item.path) as stored:
            truth[sha256(stored.read()).hexdigest()] = ("cat", "dog")[number % 2]
    path = folder / "truth.json"
    path.write_text(json.dumps(truth))
    return project, path


@pytest.mark.django_db(transaction=True)
def test_it_labels_through_the_pages_and_says_the_truth(live_server: LiveServer, tmp_path: Path) -> None:
    project, truth = demo(tmp_path)
    out = io.StringIO()
    call_command("simulate", project.slug, labels=8, truth=truth, url=live_server.url, stdout=out)
    assert Annotation.objects.filter(project=project).count() == 8
    assert {one.annotator.username for one in Annotation.objects.all()} <= {"sim-1", "sim-2"}
    known = json.loads(truth.read_text())
    for consensus in Consensus.objects.select_related("item", "label"):
        assert consensus.label.name == known[consensus.item.digest]
    assert "8 labels" in out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_it_errs_at_the_given_rate_and_stops_when_the_queue_is_dry(
    live_server: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labelling.management.player.PATIENCE_SECONDS", 0.3)
    project, truth = demo(tmp_path, items=5)
    out = io.StringIO()
    options = {"labels": 50, "truth": truth, "url": live_server.url, "error_rate": 1.0, "stdout": out}
    call_command("simulate", project.slug, **options)
    known = json.loads(truth.read_text())
    consensus = Consensus.objects.select_related("item", "label")
    assert len(consensus) == 5
    assert all(one.label.name != known[one.item.digest] for one in consensus)
    assert "dry after 5 of 50" in out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_it_answers_each_question_by_its_short_name(live_server: LiveServer, tmp_path: Path) -> None:
    project, truth = demo(tmp_path, items=3)
    factories.question(project, "size", "How big?", ("big", "small"))
    known = json.loads(truth.read_text())
    truth.write_text(json.dumps({digest: {"label": name, "size": "small"} for digest, name in known.items()}))
    call_command("simulate", project.slug, labels=6, truth=truth, url=live_server.url, annotators=1)
    found = Consensus.objects.select_related("item", "label", "question")
    said = {(one.item.digest, one.question.key): one.label.name for one in found}
    assert said == {(d, "label"): name for d, name in known.items()} | {(d, "size"): "small" for d in known}


@pytest.mark.django_db
def test_a_person_of_the_name_keeps_the_password(tmp_path: Path) -> None:
    project, truth = demo(tmp_path, items=1)
    person = factories.user("sim-2")
    with pytest.raises(CommandError, match="'sim-2' who was not made by this command"):
        call_command("simulate", project.slug, truth=truth, url="http://127.0.0.1:9")
    before = person.password
    person.refresh_from_db()
    assert person.password == before


@pytest.mark.django_db
def test_bad_input_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no project 'nowhere'"):
        call_command("simulate", "nowhere")
    project, truth = demo(tmp_path, items=1)
    with pytest.raises(CommandError, match="no such file"):
        call_command("simulate", project.slug, truth=tmp_path / "none.json")
    with pytest.raises(CommandError, match=r"cannot be reached.*manage\.py up"):
        call_command("simulate", project.slug, truth=truth, url="http://127.0.0.1:9")
    truth.write_text("[]")
    with pytest.raises(CommandError, match="one JSON object"):
        call_command("simulate", project.slug, truth=truth)
    with pytest.raises(CommandError, match="give the server's address"):
        call_command("simulate", project.slug, url="localhost:8000")
