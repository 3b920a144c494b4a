"""Rules, from what a manager writes to the model that is trained from them."""

import io
import json
from typing import Any

import numpy as np
import pytest
from django.core.exceptions import ValidationError

from labelling.models import Consensus, Item, Project, Queue
from learning.models import Learner, ModelVersion, Round, Rule, RuleCheck
from learning.selectors import methods_lacking, methods_offered
from learning.services.artifacts import artifact_get
from learning.services.learners import learner_update
from learning.services.rule_checks import check_do, preview_request
from learning.services.rule_contents import content_of_conditions, content_of_rule, content_of_table
from learning.services.rules import rule_create, rule_delete, rule_update
from learning.services.training import run_train
from tests.learning.digits import DIGITS, due_run, label_items, learner_of
from tests.learning.shelves import checked, on_shelf, shelves, write, write_shelves

pytestmark = pytest.mark.django_db


def newest(project: Project) -> ModelVersion:
    version = ModelVersion.objects.filter(project=project).first()
    assert version is not None
    return version


def trained(project: Project) -> ModelVersion:
    assert run_train(run_id=due_run().pk)
    return newest(project)


def test_rules_alone_train_a_model_that_beats_chance_by_far() -> None:
    project, truth, learner = shelves()
    with pytest.raises(ValidationError, match="Weak supervision needs rules"):
        learner_update(learner=learner, method="weak-supervision")
    assert "needs rules" in methods_lacking(learner)["weak-supervision"]
    write_shelves(learner)
    assert "weak-supervision" in methods_offered(learner)
    learner_update(learner=learner, method="weak-supervision")

    first = trained(project)
    assert (first.labels, first.holdout_labels, first.metrics["accuracy"]) == (0, 0, None)
    assert [rule["name"] for rule in first.card["rules"]["rules"]] == [f"shelf {digit}" for digit in DIGITS]
    made = Round.objects.get(project=project)
    assert (made.model_version, Queue.objects.get(project=project).model_digest) == (first, first.digest)

    # Once people label the hold-out, blind, the same model is measured.
    label_items(project, truth, 75, Item.Split.HOLDOUT)
    second = trained(project)
    assert second.card["weights"] == first.card["weights"]
    assert second.metrics["accuracy_low"] > 0.5  # of ten digits, chance is 0.1
    # Nothing of the hold-out was voted on.
    votes = np.load(io.BytesIO(artifact_get(digest=second.card["rules"]["votes"], suffix=".npy")))
    pool = Item.objects.filter(project=project, split=Item.Split.POOL)
    assert set(votes[:, 0].tolist()) == set(pool.values_list("pk", flat=True))
    assert second.card["rules"]["voted"] == second.card["rules"]["learned"] == pool.count()


def test_what_people_say_wins_over_every_rule() -> None:
    """With all of the pool labelled, rules that always lie change nothing but the record."""
    project, truth, learner = shelves(120, wrong=0.0)
    label_items(project, truth, 120)
    label_items(project, truth, 120, Item.Split.HOLDOUT)
    learner_update(learner=learner, method="transfer")
    honest = trained(project)
    for digit in DIGITS:
        write(learner, f"lie {digit}", str((int(digit) + 1) % 10), on_shelf(digit))
    learner_update(learner=learner, method="weak-supervision")
    lied_to = trained(project)

    assert lied_to.card["rules"]["learned"] == 0
    assert lied_to.labels == honest.labels == 90
    assert lied_to.metrics["accuracy"] == pytest.approx(honest.metrics["accuracy"], abs=0.04)
    check = RuleCheck.objects.get(learner=learner, state="done")
    rows = check.result["rows"].values()
    assert {row["accuracy"] for row in rows if row["checked"]} == {0.0}
    assert max(row["estimated_accuracy"] for row in rows if row["checked"]) < 0.1


def test_a_lie_that_people_have_caught_is_not_learned_elsewhere() -> None:
    project, truth, learner = shelves(300, wrong=0.0)
    write_shelves(learner, DIGITS[2:])
    for lie, digit in (("1", "0"), ("0", "1")):
        write(learner, f"lie {lie}", lie, on_shelf(digit))
    learner_update(learner=learner, method="weak-supervision")
    label_items(project, truth, 75, Item.Split.HOLDOUT)
    believed = trained(project)
    label_items(project, truth, 40)
    judged = trained(project)
    assert judged.metrics["accuracy"] > believed.metrics["accuracy"] + 0.05
    rows = RuleCheck.objects.get(learner=learner, state="done").result["rows"]
    estimated = {rule.name: rows[str(rule.pk)]["estimated_accuracy"] for rule in Rule.objects.all()}
    assert max(estimated["lie 0"], estimated["lie 1"]) < 0.7
    assert min(estimated[f"shelf {digit}"] for digit in DIGITS[2:]) > 0.8


def test_the_snapshot_covers_rules_and_votes() -> None:
    project, truth, learner = shelves(120)
    write_shelves(learner)
    learner_update(learner=learner, method="weak-supervision")
    label_items(project, truth, 20)
    first = trained(project)
    learner_update(learner=learner)
    assert trained(project) == first

    rule_update(learner=learner, rule=Rule.objects.filter(name="shelf 3").get(), enabled=False)
    second = trained(project)
    assert second.card["snapshot"] != first.card["snapshot"]
    weak = json.loads(artifact_get(digest=second.card["snapshot"], suffix=".json"))["weak"]
    assert "shelf 3" not in [rule["name"] for rule in weak["rules"]]
    assert weak["votes"] != first.card["rules"]["votes"]

    # Without a rule, the method says what it lacks, and labels alone are learned from.
    for rule in Rule.objects.filter(project=project):
        rule_delete(learner=learner, rule=rule)
    third = trained(project)
    assert "rules" not in third.card
    assert "Transfer instead of Weak supervision" in third.card["note"]
    assert json.loads(artifact_get(digest=third.card["snapshot"], suffix=".json")).keys() == {
        "classes",
        "labels",
    }


def test_a_check_says_what_each_rule_does_and_keeps_its_examples() -> None:
    project, truth, learner = shelves(120, wrong=0.0)
    zero, one = write_shelves(learner, DIGITS[:2])
    every = write(learner, "all are ones", "1", {"kind": "pattern", "field": "file", "pattern": r"\.png$"})
    lost = write(learner, "lost", "1", {"kind": "metadata", "field": "shlef", "operator": "=", "value": "1"})
    score = write(learner, "sure", "1", {"kind": "score", "label": "1", "at_least": 0.5})
    label_items(project, truth, 30)

    check = checked()

    pool = Item.objects.filter(project=project, split=Item.Split.POOL)
    zeros = pool.filter(metadata={"shelf": "shelf 0"})
    rows = check.result["rows"]
    assert check.items == pool.count() == 90
    assert rows[str(zero.pk)]["votes"] == zeros.count()
    assert rows[str(zero.pk)]["coverage"] == rows[str(zero.pk)]["conflict"] == zeros.count() / 90
    labelled = Consensus.objects.filter(item__in=zeros).count()
    assert (rows[str(zero.pk)]["checked"], rows[str(zero.pk)]["accuracy"]) == (labelled, 1.0)
    assert rows[str(one.pk)]["conflict"] == 0 < rows[str(one.pk)]["overlap"]
    assert rows[str(every.pk)]["coverage"] == 1
    assert rows[str(every.pk)]["estimated_accuracy"] < 0.5
    examples = rows[str(zero.pk)]["examples"]
    assert 0 < len(examples) <= 8
    assert zeros.filter(pk__in=[one["item"] for one in examples]).count() == len(examples)
    assert rows[str(lost.pk)] == {"error": "No image of the pool has a field 'shlef'.", "examples": []}
    assert rows[str(score.pk)]["error"] == "There is no model yet whose scores a rule could use."


def test_a_preview_shows_a_rule_that_is_not_saved_in_the_place_of_the_old_one() -> None:
    project, _, learner = shelves(120, wrong=0.0)
    zero, _ = write_shelves(learner, DIGITS[:2])
    content = content_of_conditions(
        learner=learner,
        name="wider",
        label="0",
        when=[
            {"kind": "pattern", "field": "shelf", "pattern": "shelf [0-4]"},
        ],
    )
    check = preview_request(learner=learner, content=content, instead_of=zero)
    assert check_do(check_id=check.pk)
    assert not check_do(check_id=check.pk)
    check.refresh_from_db()
    assert check.result["rows"].keys() == {"draft", str(zero.pk + 1)}
    draft = check.result["rows"]["draft"]
    assert draft["overlap"] == draft["conflict"] > 0
    assert draft["coverage"] > 0.4
    assert Rule.objects.filter(project=project).count() == 2


def test_a_rule_of_examples_and_one_of_scores_vote_by_embeddings_and_the_newest_model() -> None:
    project, truth, learner = shelves(200, wrong=0.0)
    label_items(project, truth, 60)
    version = trained(project)
    zero = Item.objects.filter(pk__in=[pk for pk, digit in truth.items() if digit == "0"], split="pool")[0]
    near = {"kind": "near", "examples": [zero.name], "distance": 0.3}
    rules = [
        write(learner, "like that zero", "0", near),
        write(learner, "surely a three", "3", {"kind": "score", "label": "3", "at_least": 0.7}),
    ]
    assert rules[0].when == [{**near, "examples": [zero.digest]}]
    rows = checked().result["rows"]
    for rule, digit in zip(rules, "03", strict=True):
        row = rows[str(rule.pk)]
        assert 0 < row["coverage"] < 0.5
        assert np.mean([truth[one["item"]] == digit for one in row["examples"]]) > 0.7
    learner_update(learner=learner, method="weak-supervision")
    assert trained(project).number == version.number + 1
    assert checked().result["rows"][str(rules[1].pk)]["votes"] > 0  # by the new model


def test_a_table_votes_by_name_or_digest_and_waits_for_images_still_to_come() -> None:
    project, _, learner = shelves(120, wrong=0.0)
    first, second = Item.objects.filter(project=project, split="pool").order_by("id")[:2]
    held = Item.objects.filter(project=project, split="holdout")[0]
    table = {first.name: "4", second.digest: "5", held.name: "6", "not-here-yet.png": "7"}
    rule = rule_create(learner=learner, content=content_of_table(learner=learner, name="tool", table=table))
    row = checked().result["rows"][str(rule.pk)]
    assert {one["item"]: one["label"] for one in row["examples"]} == {first.pk: "4", second.pk: "5"}
    assert content_of_rule(rule).table_rows == 4


BAD_CONDITIONS: list[tuple[str, list[dict[str, Any]], str]] = [
    ("cow", [on_shelf("0")], "Rule 'r': there is no label 'cow'; there are: 0, 1, 2"),
    ("", [on_shelf("0")], "Rule 'r': say which label it votes for."),
    ("0", [], "Rule 'r': it needs at least one condition."),
    ("0", [on_shelf("0")] * 6, "Rule 'r': it has 6 conditions; at most 5 are taken."),
    (
        "0",
        [{"kind": "pattern", "field": "a", "pattern": "(a+)+$"}],
        "Rule 'r': The pattern '(a+)+$' repeats a group",
    ),
    ("0", [{"kind": "score", "label": "cow", "at_least": 0.5}], "Rule 'r': there is no label 'cow'"),
    (
        "0",
        [{"kind": "score", "label": "1", "at_least": 5}],
        "Rule 'r': A score lies between 0 and 1; 5 does not.",
    ),
    ("0", [{"kind": "near", "examples": ["x.png"], "distance": 1}], "Rule 'r': there is no image 'x.png'"),
    ("0", [{"kind": "near", "examples": "x", "distance": 1}], "Rule 'r': 'x' cannot be the examples"),
    ("0", [{"kind": "sql"}], "Rule 'r': there is no condition 'sql'"),
]


@pytest.mark.parametrize(("label", "when", "sentence"), BAD_CONDITIONS)
def test_a_bad_rule_is_refused_with_its_name_and_what_is_wrong(
    label: str, when: list[dict[str, Any]], sentence: str
) -> None:
    _, _, learner = shelves(12)
    with pytest.raises(ValidationError) as refused:
        content_of_conditions(learner=learner, name="r", label=label, when=when)
    assert sentence in refused.value.messages[0]


def test_names_are_taken_once_tables_name_images_and_examples_are_never_held_out() -> None:
    project, _, learner = shelves(40)
    rule = write(learner, "r", "0", on_shelf("0"))
    write(learner, "s", "0", on_shelf("0"))
    with pytest.raises(ValidationError, match="Rule 's': there is another rule of this name"):
        rule_update(
            learner=learner,
            rule=rule,
            content=content_of_conditions(learner=learner, name="s", label="0", when=[on_shelf("1")]),
        )
    with pytest.raises(ValidationError, match="Rule 'r': there is another rule of this name"):
        write(learner, "r", "0", on_shelf("0"))
    with pytest.raises(ValidationError, match="Rule 't': no image of the pool is named in its table"):
        content_of_table(learner=learner, name="t", table={"x.png": "0"})
    with pytest.raises(ValidationError, match="Rule 't': entry 1 of the table: there is no label 'cow'"):
        content_of_table(learner=learner, name="t", table={"x.png": "cow"})
    held = Item.objects.filter(project=project, split="holdout")[0].name
    with pytest.raises(ValidationError, match="held out for measuring"):
        write(learner, "h", "0", {"kind": "near", "examples": [held], "distance": 1.0})


def test_every_change_of_a_rule_asks_for_a_check_and_a_training() -> None:
    _, _, learner = shelves(40)

    def asked() -> bool:
        found = Learner.objects.get(pk=learner.pk).requested_at is not None
        found &= RuleCheck.objects.filter(learner=learner, state="queued").count() == 1
        Learner.objects.update(requested_at=None)
        RuleCheck.objects.all().delete()
        return found

    rule = write(learner, "r", "0", on_shelf("0"))
    assert asked()
    rule_update(learner=learner, rule=rule, enabled=False)
    assert asked()
    rule_delete(learner=learner, rule=rule)
    assert asked()


def test_rules_for_one_label_only_wait_for_another() -> None:
    project, _, learner = shelves(60)
    write_shelves(learner, DIGITS[:1])
    learner_update(learner=learner, method="weak-supervision")
    assert run_train(run_id=due_run().pk)
    assert not ModelVersion.objects.filter(project=project).exists()
    assert Round.objects.get(project=project).model_version is None
    write(learner_of(project), "shelf 1", "1", on_shelf("1"))
    assert trained(project).labels == 0
