"""What every address of a project names, so that each can be asked for."""

import uuid

from labelling.models import ImportJob, Item, Project
from labelling.services.blobs import blob_put
from learning.models import AugmentationPolicy, PolicySearch, PolicyTrial, Rule, RuleCheck
from serving.core.modes import State
from serving.core.records import to_json
from serving.models import ApiKey, Rollout
from tests import factories

EXAMPLES = "examples.png"


def arguments(project: Project) -> dict[str, object]:
    """What the addresses name. Every `pk` is the same number, so that each route finds its thing."""
    number = 1_000_000 + project.pk
    Item.objects.filter(pk=factories.item(project).pk).update(id=number)
    ImportJob.objects.create(pk=number, project=project, kind="zip", source="x", name="x.zip", state="done")
    question, learner = project.questions.get(), project.learners.get()
    Rule.objects.create(
        pk=number, project=project, question=question, name="x", label=question.labels.first()
    )
    RuleCheck.objects.create(pk=number, project=project, learner=learner, draft={})
    blob_put(path=EXAMPLES, data=factories.png(1))
    search = PolicySearch.objects.create(project=project, config={"search": "ppo"})
    PolicyTrial.objects.create(pk=number, search=search, number=0, kind="search", seed=0, pictures=EXAMPLES)
    policy = {"sub_policies": [[{"operation": "rotate", "probability": 1.0, "magnitude": 0.5}]]}
    AugmentationPolicy.objects.create(pk=number, project=project, name="x", policy=policy, pictures=EXAMPLES)
    ApiKey.objects.create(pk=number, project=project, name="x", prefix=f"{number}"[-12:], secret_hash="")
    version = project.model_versions.get()
    rollout = Rollout.objects.create(
        pk=number, project=project, question=question, mode="ab", progress=to_json(State())
    )
    rollout.arms.create(name="challenger", model_version=version, position=1)
    return {
        "slug": project.slug,
        "act": "discard",
        "pk": number,
        "kind": "card",
        "file": "labels.csv",
        "truth": 0,
        "guess": 0,
        "uuid": uuid.uuid4(),
        "version": "1",
        "prediction_id": uuid.uuid4(),
    }
