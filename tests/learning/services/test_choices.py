"""The automatic method trains by what was chosen last; methods are compared aside, as labels grow."""

import pytest

from labelling.models import Item, Project
from learning.models import Learner, MethodChoice, ModelVersion
from learning.selectors import activity
from learning.services.choices import choice_do
from learning.services.learners import learner_update
from learning.services.runs import runs_create_due
from learning.services.training import run_train
from learning.services.work import works_to_send
from tests.learning.digits import digits_project, due_run, embed_all, label_items, learner_of

pytestmark = pytest.mark.django_db


def trained(project: Project) -> ModelVersion:
    assert run_train(run_id=due_run().pk)
    return ModelVersion.objects.filter(project=project).order_by("-number")[0]


def compared() -> MethodChoice:
    (sent,) = works_to_send(MethodChoice)
    assert choice_do(choice_id=sent)
    return MethodChoice.objects.get()


def test_methods_are_compared_after_a_training_and_again_when_the_labels_have_grown_by_a_quarter() -> None:
    project, truth = digits_project(120)
    embed_all("auto")
    label_items(project, truth, 30)
    first = trained(project)
    assert first.method == "auto"
    assert first.card["note"] == "Transfer: methods are compared in a moment."

    made = compared()
    # Whatever can be used of the project is compared.
    assert made.choice["labels"] == 30
    for title in ("Transfer", "Semi-supervised", "Self-training"):
        assert f"{title} 0." in made.choice["why"]
    assert made.choice["method"] != "transfer"
    assert not choice_do(choice_id=made.pk)
    # The better method is trained by at once, although no label has come.
    second = trained(project)
    assert second.card["config"] == {"chosen": made.choice}
    assert made.choice["why"] in second.card["note"]
    assert not works_to_send(MethodChoice)
    runs_create_due()
    assert not learner_of(project).runs.filter(state="queued").exists()

    label_items(project, truth, 7)
    third = trained(project)
    assert third.card["config"] == second.card["config"]
    assert not works_to_send(MethodChoice)
    label_items(project, truth, 1)
    assert trained(project).card["config"] == second.card["config"]
    assert compared().choice["labels"] == 38


def test_it_is_compared_anew_for_other_classes_and_never_for_a_method_that_a_person_chose() -> None:
    project, truth = digits_project(80)
    embed_all("auto")
    label_items(project, truth, 30)
    learner_update(learner=learner_of(project), method="transfer")
    assert trained(project).card["config"] == {}
    assert not works_to_send(MethodChoice)
    learner_update(learner=learner_of(project), method="auto")
    trained(project)
    compared()
    question = project.questions.get()
    question.labels.create(name="none of these", position=question.labels.count())
    label_items(project, truth, 1)
    trained(project)
    assert MethodChoice.objects.get().state == "queued"


def test_a_project_deleted_while_methods_are_compared_ends_it_quietly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project, truth = digits_project(60)
    embed_all("auto")
    label_items(project, truth, 20)
    trained(project)
    made = MethodChoice.objects.get()

    def deleted(learner: Learner) -> None:
        Project.objects.filter(pk=project.pk).delete()
        raise Item.DoesNotExist("An image is gone.")

    # The moment between claiming and reading cannot be hit from outside.
    monkeypatch.setattr("learning.services.choices.labelled_read", deleted)
    assert not choice_do(choice_id=made.pk)
    assert not MethodChoice.objects.exists()


def test_a_comparison_that_fails_is_told_and_tried_again_with_more_labels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project, truth = digits_project(80)
    embed_all("auto")
    label_items(project, truth, 20)
    trained(project)
    (sent,) = works_to_send(MethodChoice)
    with monkeypatch.context() as broken:
        broken.setattr("learning.services.choices.choice", lambda *_: 1 / 0)
        assert not choice_do(choice_id=sent)
    learner = learner_of(project)
    assert activity(project, learner).error == "Methods could not be compared: division by zero"
    label_items(project, truth, 1)
    assert trained(project).card["note"] == "Transfer: methods are compared in a moment."
    assert compared().choice["labels"] == 21
    assert activity(project, learner).error == ""


def test_labels_too_few_to_compare_by_leave_nothing_chosen() -> None:
    project, truth = digits_project(60)
    embed_all("auto")
    label_items(project, truth, 2)
    first = trained(project)
    assert first.card["note"] == "Prototypes: no label has two examples yet to compare methods by."
    assert compared().choice == {}
