"""A project with a model in force, what its page says, and that the model still answers."""

import numpy as np
from django.test import Client

from labelling.models import Item, Membership, Project
from learning.models import ModelVersion
from learning.services.artifacts import predictor_load
from learning.services.pool_embeddings import embeddings_open
from learning.services.training import run_train
from serving.models import Deployment
from serving.services.deployments import deployments_consider, deployments_create_missing
from tests import factories
from tests.learning.digits import digits_project, due_run, embed_all, label_items


def panel(project: Project, name: str = "learning/panel", role: str = Membership.Role.ANNOTATOR) -> str:
    client = Client()
    client.force_login(factories.member(project, role))
    answer = client.get(f"/projects/{project.slug}/{name}/")
    assert answer.status_code == 200
    return answer.content.decode()


def champion_answers(project: Project) -> ModelVersion:
    deployments_create_missing()
    deployments_consider()
    version = Deployment.objects.get(project=project).champion
    assert version is not None
    embeddings = embeddings_open(project=project, backbone=version.backbone).take(np.arange(2))
    proba = predictor_load(version=version).predict_features(embeddings)
    assert np.isfinite(proba).all()
    return version


def trained(count: int = 60, labels: int = 20) -> tuple[Project, dict[int, str]]:
    project, truth = digits_project(count)
    embed_all()
    label_items(project, truth, labels)
    label_items(project, truth, 8, Item.Split.HOLDOUT)
    assert run_train(run_id=due_run().pk)
    return project, truth
