"""A project with two questions: a model for each, one queue in turns, learned apart or together."""

import uuid

import numpy as np
import pytest
from django.test import Client

from labelling.models import Consensus, Item, Membership, Project, Question, Queue, QueueEntry
from labelling.services.annotations import annotation_record
from labelling.services.questions import question_add
from learning.core.methods import METHODS
from learning.core.turns import take_turns
from learning.models import Learner, ModelVersion, Rule, RuleCheck, TrainingRun
from learning.selectors import methods_offered
from learning.services.learners import learner_update, learners_ensure
from learning.services.rule_checks import check_do
from learning.services.runs import runs_create_due
from learning.services.training import run_train
from learning.services.work import works_to_send
from tests import factories
from tests.learning.digits import digits_project, embed_all, label_items, learner_of

pytestmark = pytest.mark.django_db


def odd(truth: dict[int, str]) -> dict[int, str]:
    return {pk: "odd" if int(digit) % 2 else "even" for pk, digit in truth.items()}


def two_questions(count: int = 200) -> tuple[Project, Question, Question, dict[int, str]]:
    project, truth = digits_project(count)
    parity = factories.question(project, "parity", "Odd or even?", ("even", "odd"))
    embed_all()
    return project, project.questions.get(key="label"), parity, truth


def answer(question: Question, truth: dict[int, str], count: int, split: str = Item.Split.POOL) -> None:
    """Answer one question about the first items of a split that have no answer to it."""
    person = factories.member(question.project)
    labels = {label.name: label for label in question.labels.all()}
    known = Consensus.objects.filter(question=question).values("item")
    items = Item.objects.filter(project=question.project_id, split=split).exclude(pk__in=known)
    for item in items.order_by("id")[:count]:
        annotation_record(
            project=question.project,
            annotator=person,
            uuid=uuid.uuid4(),
            item=item,
            question=question,
            label=labels[truth[item.pk]],
            seconds=1.0,
        )


def train_all() -> None:
    runs_create_due()
    for run_id in works_to_send(TrainingRun):
        run_train(run_id=run_id)
    assert not TrainingRun.objects.filter(state=TrainingRun.State.FAILED).exists()


def newest(question: Question) -> ModelVersion:
    return ModelVersion.objects.filter(learner__question=question).order_by("-number")[0]


def test_each_question_has_a_model_of_its_own_and_the_queue_takes_turns(client: Client) -> None:
    project, digit, parity, truth = two_questions()
    answer(digit, truth, 40)
    answer(digit, truth, 20, Item.Split.HOLDOUT)
    answer(parity, odd(truth), 30)
    answer(parity, odd(truth), 20, Item.Split.HOLDOUT)
    train_all()

    first, second = newest(digit), newest(parity)
    assert (first.labels, len(first.card["classes"]), first.card["question"]) == (40, 10, "label")
    assert (second.labels, len(second.card["classes"]), second.card["question"]) == (30, 2, "parity")
    assert first.metrics["accuracy"] > 0.5
    assert second.metrics["accuracy"] > 0.6
    assert {first.number, second.number} == {1, 2}

    queue = Queue.objects.get(project=project)
    entries = list(QueueEntry.objects.filter(project=project, generation=queue.generation).order_by("rank"))
    assert len({entry.item_id for entry in entries}) == len(entries)
    lanes = [Learner.objects.get(question=one).lane for one in (digit, parity)]
    known = set(Consensus.objects.filter(question=digit).values_list("item_id", flat=True))
    wanted = [[pk for pk in lanes[0].items if pk not in known]]
    known = set(Consensus.objects.filter(question=parity).values_list("item_id", flat=True))
    wanted += [[pk for pk in lanes[1].items if pk not in known]]
    assert [entry.item_id for entry in entries] == take_turns([np.array(one) for one in wanted]).tolist()
    # Each comes with what each model proposes.
    assert all(entry.suggestion in digit.labels.all() for entry in entries)
    proposed = {label for entry in entries for label, _ in entry.others.values()}
    assert proposed <= set(parity.labels.values_list("pk", flat=True))
    assert all(set(entry.others) == {str(parity.pk)} for entry in entries)

    client.force_login(factories.member(project, Membership.Role.MANAGER))
    panel = client.get(f"/projects/{project.slug}/learning/panel/").content.decode()
    assert panel.index("What is it?") < panel.index("Odd or even?")
    curve = client.get(f"/projects/{project.slug}/learning/curve.json", {"question": "parity"}).json()
    assert [point["number"] for point in curve["points"]] == [second.number]
    default = client.get(f"/projects/{project.slug}/learning/curve.json").json()
    assert [point["number"] for point in default["points"]] == [first.number]
    refused = client.get(f"/projects/{project.slug}/learning/curve.json", {"question": "x"})
    assert refused.status_code == 400
    assert "Odd or even?" in client.get(f"/projects/{project.slug}/models/").content.decode()
    page = client.get(f"/projects/{project.slug}/models/{second.number}/").content.decode()
    assert "Odd or even?" in page


def test_nothing_new_to_a_question_makes_no_new_version_of_it() -> None:
    _, digit, parity, truth = two_questions(120)
    answer(digit, truth, 30)
    answer(parity, odd(truth), 30)
    train_all()
    before = newest(parity)
    answer(digit, truth, 5)
    train_all()
    assert newest(parity) == before
    assert ModelVersion.objects.filter(learner__question=digit).count() == 2


def test_a_question_that_is_added_gets_the_recipe_and_asks_what_is_answered_otherwise() -> None:
    project, truth = digits_project(120)
    embed_all()
    learner_update(learner=learner_of(project), strategy="margin", target=0.9)
    label_items(project, truth, 30)
    train_all()
    parity = question_add(project=project, prompt="Odd or even?", labels=["even", "odd"], key="parity")
    learners_ensure()
    learner = Learner.objects.get(question=parity)
    assert (learner.strategy, learner.target) == ("margin", 0.9)
    train_all()
    queue = Queue.objects.get(project=project)
    asked = QueueEntry.objects.filter(project=project, generation=queue.generation)
    # Those with a digit are asked too: they still need the other answer.
    assert asked.count() == Item.objects.filter(project=project, split=Item.Split.POOL).count()
    # A change of the recipe is for all.
    learner_update(learner=Learner.objects.get(question__key="label"), strategy="entropy")
    assert set(Learner.objects.values_list("strategy", flat=True)) == {"entropy"}


def test_questions_learn_from_each_other_when_the_method_can() -> None:
    _, digit, parity, truth = two_questions(240)
    answer(digit, truth, 80)
    answer(parity, odd(truth), 12)
    answer(parity, odd(truth), 60, Item.Split.HOLDOUT)
    train_all()
    apart = newest(parity)
    learner = Learner.objects.get(question=digit)
    assert "multi-task" in methods_offered(learner)
    learner_update(learner=learner, method="multi-task")
    train_all()
    together = newest(parity)
    assert (together.method, together.labels) == ("multi-task", 12)
    assert len(together.card["others"]) == 1
    assert together.metrics["accuracy"] > apart.metrics["accuracy"]
    # The same answers give the same bits; a new answer to the other question is a new model of this one.
    learner_update(learner=learner)
    train_all()
    assert newest(parity) == together
    answer(digit, truth, 1)
    train_all()
    assert newest(parity) != together
    # Another way to join the losses is another method.
    learner_update(learner=learner, method="multi-task-pcgrad")
    train_all()
    surgery = newest(parity)
    assert surgery.method == "multi-task-pcgrad"
    assert surgery.card["weights"] != together.card["weights"]


def test_one_question_cannot_learn_together_and_its_queue_is_its_ranking() -> None:
    project, truth = digits_project(80)
    embed_all()
    label_items(project, truth, 20)
    learner = learner_of(project)
    together = {name for name, one in METHODS.items() if one.together}
    assert not together & methods_offered(learner).keys()
    train_all()
    assert not hasattr(learner, "lane")


def test_turns_ask_each_item_once_at_its_best_place() -> None:
    assert take_turns([np.array([1, 2, 3, 4]), np.array([3, 9, 1])]).tolist() == [1, 3, 2, 9, 4]
    assert take_turns([np.array([], np.int64), np.array([5, 6])]).tolist() == [5, 6]
    assert take_turns([]).tolist() == []


def test_each_question_has_rules_of_its_own() -> None:
    project, digit, parity, truth = two_questions(80)
    answer(digit, truth, 20)
    answer(parity, odd(truth), 20)
    client = Client()
    client.force_login(factories.member(project, Membership.Role.MANAGER))
    address = f"/api/v1/projects/{project.slug}/rules"
    when = [{"kind": "metadata", "field": "width", "operator": ">", "value": "1"}]
    sent = {"name": "wide", "label": "odd", "when": when}
    refused = client.post(address, sent, content_type="application/json")
    assert "there is no label 'odd'" in refused.json()["detail"]
    made = client.post(f"{address}?question=parity", sent, content_type="application/json")
    assert (made.status_code, made.json()["question"]) == (201, "parity")
    # The same name is free for the other question, and each list holds its own.
    first = client.post(address, {**sent, "label": "3"}, content_type="application/json").json()
    assert [one["id"] for one in client.get(address).json()["rules"]] == [first["id"]]
    (own,) = client.get(f"{address}?question=parity").json()["rules"]
    assert (own["id"], own["label"]) == (made.json()["id"], "odd")
    changed = client.patch(f"{address}/{own['id']}", {"label": "even"}, content_type="application/json")
    assert changed.json()["label"] == "even"
    unknown = client.get(f"{address}?question=colour")
    assert (unknown.status_code, "there are: label, parity" in unknown.content.decode()) == (404, True)

    for check in works_to_send(RuleCheck):
        assert check_do(check_id=check)
    (own,) = client.get(f"{address}?question=parity").json()["rules"]
    assert own["found"]["votes"] == Item.objects.filter(project=project, split=Item.Split.POOL).count()
    # The recipe is shared; where a question had no rules it would fall back by itself.
    learner_update(learner=Learner.objects.get(question=digit), method="weak-supervision")
    train_all()
    assert newest(parity).card["rules"] != newest(digit).card["rules"]


def test_the_rules_page_shows_and_writes_those_of_the_question_asked_for() -> None:
    project, _, parity, _ = two_questions(12)
    client = Client()
    client.force_login(factories.member(project, Membership.Role.MANAGER))
    page = f"/projects/{project.slug}/rules/"
    assert "Odd or even?</a>" in client.get(page).content.decode()
    sent = {
        "name": "all",
        "source": "conditions",
        "label": "odd",
        "c0-kind": "metadata",
        "c0-field": "width",
        "c0-operator": ">",
        "c0-value": "1",
    }
    new = client.get(f"{page}new/?question=parity").content.decode()
    assert "It answers: Odd or even?" in new
    saved = client.post(f"{page}new/?question=parity", sent)
    assert saved.headers.get("Location") == f"{page}?question=parity", saved.content.decode()
    rule = Rule.objects.get(question=parity)
    assert 'aria-label="Rule all"' in client.get(f"{page}?question=parity").content.decode()
    assert 'aria-label="Rule all"' not in client.get(page).content.decode()
    off = client.post(f"{page}{rule.pk}/", {"action": "disable"})
    assert off.headers["Location"] == f"{page}?question=parity"
    assert client.get(f"{page}?question=x").status_code == 404


def test_the_learners_api_tells_the_outlook_of_each_question() -> None:
    project, digit, parity, truth = two_questions(120)
    answer(digit, truth, 30)
    answer(parity, odd(truth), 30)
    answer(parity, odd(truth), 20, Item.Split.HOLDOUT)
    train_all()
    client = Client()
    client.force_login(factories.member(project, Membership.Role.MANAGER))
    address = f"/api/v1/projects/{project.slug}/learner"
    first, second = client.get(address).json(), client.get(f"{address}?question=parity").json()
    assert (first["question"], second["question"]) == ("label", "parity")
    assert first["questions"] == ["label", "parity"]
    assert second["outlook"] == Learner.objects.get(question=parity).outlook != first["outlook"]
    changed = client.patch(f"{address}?question=parity", {"target": 0.9}, content_type="application/json")
    assert changed.json()["question"] == "parity"
    assert set(Learner.objects.filter(project=project).values_list("target", flat=True)) == {0.9}
    assert client.get(f"{address}?question=colour").status_code == 404
