"""Policies that a project keeps: taken elsewhere as JSON, pictured, and what its networks learn with."""

import json

import pytest
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.utils import timezone

from labelling.models import Item
from learning.core.augmentation import AUGMENTATIONS, Applied, Policy
from learning.core.networks import pretrain as training_loop
from learning.models import AugmentationPolicy, Learner, PretrainingRun
from learning.policy_selectors import augmentations_of
from learning.services.backbones import backbone_artifact
from learning.services.learners import learner_update
from learning.services.policies import (
    PATIENCE,
    augment_named,
    policies_to_picture,
    policy_export,
    policy_import,
    policy_keep,
    policy_picture,
)
from learning.services.pretraining import pretraining_do, pretraining_request
from tests import factories
from tests.learning.digits import digits_project, embed_all, label_items, learner_of

pytestmark = pytest.mark.django_db
POLICY = Policy(((Applied("rotate", 0.5, 0.5),),))


def nested(levels: int) -> list[object]:
    made: list[object] = []
    for _ in range(levels - 1):
        made = [made]
    return made


def test_a_policy_moves_to_another_project_as_json_and_is_pictured_there() -> None:
    project, other = factories.project(), factories.project()
    kept = policy_keep(project=project, policy=POLICY, name="mine", evidence={"trials": 3})
    data = json.loads(json.dumps(policy_export(policy=kept)))
    factories.item(other)
    imported, new = policy_import(project=other, data=data)
    assert new
    assert (imported.name, imported.digest, imported.evidence) == ("mine", POLICY.digest, {"trials": 3})
    assert policy_import(project=other, data={**data, "name": "again"}) == (imported, False)
    assert policies_to_picture() == [imported.pk]  # the other's project has no image
    assert policies_to_picture() == []
    # Whoever was asked may be gone.
    AugmentationPolicy.objects.update(picture_asked_at=timezone.now() - PATIENCE)
    assert policies_to_picture() == [imported.pk]
    policy_picture(policy_id=imported.pk)
    policy_picture(policy_id=kept.pk)
    imported.refresh_from_db()
    kept.refresh_from_db()
    assert default_storage.exists(imported.pictures)
    assert kept.pictures == ""
    AugmentationPolicy.objects.update(picture_asked_at=None)
    assert policies_to_picture() == []
    inverts = {**data, "policy": Policy(((Applied("invert", 0.5, 0.5),),)).as_json()}
    changed = {name: value for name, value in inverts.items() if name != "digest"}
    for bad, sentence in (
        ({"format": "x"}, "not an exported policy"),
        ([], "not an exported policy"),
        ({**data, "name": 3}, 'has a "name"'),
        ({**data, "policy": {}}, "A policy is written as"),
        ({**changed, "name": ""}, "give it 1 to 60 letters"),
        ({**changed, "name": "none"}, "The name 'none' is taken by a fixed augmentation"),
        ({**changed, "name": "None"}, "The name 'None' is taken by a fixed augmentation"),
        ({**changed, "name": AUGMENTATIONS["views"].title}, "is taken by a fixed augmentation"),
        ({**changed, "name": "two\nlines"}, "give it 1 to 60 letters"),
        ({**changed, "name": "gpj.\u202eresu"}, "give it 1 to 60 letters"),
        ({**changed, "name": "half \ud800"}, "cannot hold half a surrogate pair"),
        (changed, "Another policy is called 'mine'"),
        # Its evidence would speak for a policy that it was not found for.
        (inverts, "not the one that was exported"),
        ({**inverts, "digest": None}, "not the one that was exported"),
        ({**changed, "name": "new", "evidence": {"trials": float("inf")}}, "cannot hold NaN or infinities"),
        ({**changed, "name": "new", "evidence": {"a": "\0"}}, "cannot hold a NUL character"),
        # What is written by a shallow call, a deeper one could not read again.
        ({**changed, "name": "new", "evidence": {"a": nested(900)}}, "nested deeper than 20 levels"),
        ({**changed, "name": "new", "evidence": {"a": "a" * 1_000_000}}, "larger than 1,000,000 bytes"),
    ):
        with pytest.raises(ValidationError, match=sentence):
            policy_import(project=other, data=bad)
    assert list(AugmentationPolicy.objects.filter(project=other)) == [imported]
    deep = {**changed, "name": "über 😀", "evidence": {"a": nested(18)}}
    assert policy_import(project=other, data=deep)[0].evidence == {"a": nested(18)}


def test_networks_learn_with_what_the_project_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_loop, "EPOCH_STEPS", 2)
    project, truth = digits_project(60)
    embed_all()
    label_items(project, truth, 40)
    label_items(project, truth, 5, Item.Split.HOLDOUT)
    kept = policy_keep(project=project, policy=POLICY, name="mine", evidence={})
    assert set(augmentations_of(project)) == {*AUGMENTATIONS, "mine"}
    with pytest.raises(ValidationError, match="There is no augmentation 'melt'"):
        learner_update(learner=learner_of(project), augmentation="melt")
    assert augment_named(project=project, name="views") is None
    assert augment_named(project=project, name="mine") == POLICY
    first = pretraining_request(project=project, method="vicreg")
    PretrainingRun.objects.filter(pk=first.pk).update(config={"settings": {"epochs": 1, "batch": 32}})
    assert pretraining_do(run_id=first.pk)
    first.refresh_from_db()
    Learner.objects.filter(project=project).update(backbone=first.backbone)
    made = set()
    for name in ("views", "mine"):
        learner_update(learner=learner_of(project), augmentation=name)
        run = pretraining_request(project=project, method="fine-tuning")
        run.config["settings"] = {"epochs": 1}
        run.seed = 1
        run.save()
        assert pretraining_do(run_id=run.pk)
        run.refresh_from_db()
        assert run.state == "done", run.error
        assert backbone_artifact(name=run.backbone).card["augmentation"] == name
        made.add(run.backbone)
    assert len(made) == 2
    kept.delete()
    gone = pretraining_request(project=project, method="fine-tuning")
    assert not pretraining_do(run_id=gone.pk)
    gone.refresh_from_db()
    assert "The augmentation 'mine' is gone: choose another" in gone.error
