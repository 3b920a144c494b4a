"""The automatic method compares methods when the labels have grown, and holds to what it chose in between."""

import pytest

from labelling.models import Project
from learning.models import ModelVersion
from learning.services.learners import learner_update
from learning.services.training import run_train
from tests.learning.digits import digits_project, due_run, embed_all, label_items, learner_of

pytestmark = pytest.mark.django_db


def trained(project: Project) -> ModelVersion:
    assert run_train(run_id=due_run().pk)
    return ModelVersion.objects.filter(project=project).order_by("-number")[0]


def test_methods_are_compared_when_the_labels_have_grown_by_a_quarter() -> None:
    project, truth = digits_project(120)
    embed_all()
    label_items(project, truth, 30)
    first = trained(project)
    assert first.method == "auto"
    assert first.card["config"] == {}
    assert first.card["chosen"]["labels"] == 30
    assert "held-back labels are likeliest by it" in first.card["note"]

    label_items(project, truth, 7)
    second = trained(project)
    assert second.card["config"] == {"chosen": first.card["chosen"]}
    assert second.card["chosen"] == first.card["chosen"]
    assert second.card["note"].endswith("chosen by comparing methods on 30 labels.")

    label_items(project, truth, 1)
    third = trained(project)
    assert third.card["config"] == {}
    assert third.card["chosen"]["labels"] == 38
    assert "held-back labels are likeliest by it" in third.card["note"]


def test_what_was_chosen_holds_for_the_features_and_the_method_it_was_chosen_with() -> None:
    project, truth = digits_project(80)
    embed_all()
    label_items(project, truth, 30)
    first = trained(project)

    # The same labels again: the same model, to the bit, with what it was compared by.
    learner_update(learner=learner_of(project), strategy="margin")
    assert run_train(run_id=due_run().pk)
    assert list(ModelVersion.objects.filter(project=project)) == [first]

    learner_update(learner=learner_of(project), method="transfer")
    by_person = trained(project)
    assert "chosen" not in by_person.card
    learner_update(learner=learner_of(project), method="auto")
    again = trained(project)
    assert (again.card["config"], again.card["chosen"]) == ({}, first.card["chosen"])
