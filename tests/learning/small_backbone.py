"""A project of digits whose model stands on a small network, which is quantised within a second."""

import torch

from labelling.models import Item, Project
from learning.core.backbones.base import export
from learning.core.networks.small_cnn import SmallCnn
from learning.models import Learner, QuantisedBackbone
from learning.services.backbones import backbone_store
from learning.services.embeddings import shard_embed
from learning.services.learners import learners_ensure
from learning.services.quantised import quantised_do, quantised_plan
from learning.services.quantised_exports import exports_measure, exports_waiting
from learning.services.shards import holdout_shards_plan, shards_to_send
from learning.services.training import run_train
from learning.services.work import works_to_send
from tests.learning.digits import digits_project, due_run, embed_all, label_items

NAME = "small-cnn"


def small_project(holdout_labels: int = 120, images: int = 240) -> tuple[Project, dict[int, str]]:
    """With a version that was measured on so many hold-out labels; half of the images are held out."""
    torch.manual_seed(0)
    network = SmallCnn(32)
    backbone_store(name=NAME, onnx=export(network, 32), input_size=32, features=network.features)
    project, truth = digits_project(images, holdout_every=2)
    learners_ensure()
    Learner.objects.filter(project=project).update(backbone=NAME)
    embed_all()
    label_items(project, truth, 80)
    label_items(project, truth, holdout_labels, Item.Split.HOLDOUT)
    assert run_train(run_id=due_run().pk)
    return project, truth


def quantised(project: Project) -> QuantisedBackbone:
    """What workers do after the ticks that see the version."""
    made = quantised_backbone(project)
    measured(made.pk)
    return made


def quantised_backbone(project: Project) -> QuantisedBackbone:
    quantised_plan()
    (work,) = works_to_send(QuantisedBackbone)
    assert quantised_do(quantised_id=work)
    return QuantisedBackbone.objects.get(project=project)


def measured(work: int) -> None:
    holdout_shards_plan()
    for shard in shards_to_send():
        assert shard_embed(shard_id=shard)
    assert exports_waiting() == [work]
    assert exports_measure(quantised_id=work)
    assert exports_waiting() == []
