"""What the worker processes of `benchmarks.augment` do: judge a trial, and train the network that counts."""

import functools
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.pictures import Pictures, digits, fashion, larger_sets
from learning.core.augmentation import AUGMENTATIONS, Policy
from learning.core.children.children import children_train
from learning.core.children.judge import Judge, channels_first
from learning.core.networks.pretrain import SIZE
from learning.core.policy_search.base import Judged
from learning.core.policy_search.plan import ChildPlan
from learning.core.policy_search.session import Trial
from learning.core.pretraining import Answered

FASHION_IMAGES = 6_000
# A data set's name, a number of labels, a seed.
Key = tuple[str, int, int]


@dataclass(frozen=True)
class Setting:
    known: Answered
    test: Answered
    classes: int


def begin() -> None:
    torch.set_num_threads(1)


@functools.cache
def pictures_of(name: str) -> Pictures | None:
    if name == "Fashion-MNIST":
        return fashion(FASHION_IMAGES)
    return digits() if name == "digits" else next(larger_sets())


@functools.lru_cache(2)
def _setting(key: Key) -> Setting:
    name, count, seed = key
    pictures = pictures_of(name)
    assert pictures is not None
    order = np.random.default_rng(seed).permutation(len(pictures.images))
    test, known = order[: pictures.test], order[pictures.test :][:count]
    return Setting(_answered(pictures, known), _answered(pictures, test), pictures.classes)


def _answered(pictures: Pictures, rows: NDArray[np.int64]) -> Answered:
    some = replace(pictures, images=[pictures.images[row] for row in rows])
    return Answered(some.prepared(SIZE), pictures.labels[rows])


@functools.lru_cache(2)
def _judge(key: Key, plan: ChildPlan) -> Judge:
    setting = _setting(key)
    return Judge(setting.known, setting.classes, plan, key[2])


def reward(job: tuple[Key, ChildPlan, Judged, Trial]) -> float:
    key, plan, how, trial = job
    return _judge(key, plan).outcome(trial, how).reward


def accuracy_of(job: tuple[str | Policy, Key, ChildPlan]) -> float:
    """In %, on the test pictures, of a network trained for longer on all labels."""
    way, key, plan = job
    setting = _setting(key)
    augment = AUGMENTATIONS[way].apply if isinstance(way, str) else way
    known, test = setting.known, setting.test
    images = channels_first(known.images)
    truth = torch.from_numpy(known.labels)
    children = children_train([images], [truth], setting.classes, augment, plan, [key[2]])
    guess = children.logits([channels_first(test.images)])[0].argmax(axis=1)
    return 100 * float((guess == test.labels).mean())
