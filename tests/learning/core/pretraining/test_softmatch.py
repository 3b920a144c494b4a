"""SoftMatch: what a guess counts, where it begins, and whether it helps."""

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from learning.core.methods import METHODS, TrainingData
from learning.core.networks.network import pixels
from learning.core.networks.pretrain import begun, pretrain
from learning.core.networks.small_cnn import SmallCnn
from learning.core.networks.softmatch import SoftMatchHead, aligned
from learning.core.pretraining import PRETRAININGS, Answered, Lessons, Loop
from learning.core.pretraining.softmatch import two_networks
from tests.learning.core.pretraining.test_pretraining import SIDE, lessons_of, some_digits


@pytest.fixture(autouse=True)
def _two_threads() -> None:
    torch.set_num_threads(2)


def test_softmatch_counts_a_guess_by_how_sure_it_is() -> None:
    images, labels = some_digits(60)
    lessons, network = lessons_of(images, labels), SmallCnn(SIDE)
    head = two_networks(network, lessons)
    assert isinstance(head, SoftMatchHead)
    head.follow(network)
    x = pixels(torch.from_numpy(images))
    hard, weight = head.guesses(x)
    with torch.no_grad():
        proba = head.teacher_head(head.teacher.embed(x)).softmax(dim=1)
    assert torch.equal(hard, proba.argmax(dim=1))
    evened = proba / proba.mean(dim=0)  # section 3.3, with the one batch there is; all digits have labels
    confidence = (evened / evened.sum(dim=1, keepdim=True)).max(dim=1).values
    mean, deviation = confidence.mean(), confidence.std()
    expected = torch.where(
        confidence >= mean, 1.0, torch.exp(-((confidence - mean) ** 2) / (deviation**2 / 2))
    )
    torch.testing.assert_close(weight, expected)


def test_alignment_makes_each_class_with_labels_as_likely_and_leaves_others_out() -> None:
    proba = torch.tensor([[0.80, 0.15, 0.05], [0.70, 0.29, 0.01], [0.50, 0.40, 0.10]], dtype=torch.float64)
    even = torch.tensor([0.5, 0.5, 0.0], dtype=torch.float64)
    found = aligned(proba, even, proba.mean(dim=0))
    ratio = torch.tensor([0.5 / 0.6667, 0.5 / 0.28, 0.0], dtype=torch.float64)
    expected = proba * ratio / (proba * ratio).sum(dim=1, keepdim=True)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    assert found.argmax(dim=1).tolist() == [0, 0, 1]  # which is why only weights are taken of it


def test_a_class_without_labels_is_never_what_a_guess_counts_for() -> None:
    images, labels = some_digits(60)
    gap = np.where(labels == 4, 5, labels)
    head = two_networks(SmallCnn(SIDE), lessons_of(images, gap))
    assert isinstance(head, SoftMatchHead)
    assert head.even[4] == 0
    assert head.even.sum() == pytest.approx(1)
    weight = head.guesses(pixels(torch.from_numpy(images)))[1]
    assert torch.isfinite(weight).all()
    assert weight.max() == 1


def test_the_head_it_begins_with_is_drawn_by_the_runs_seed() -> None:
    images, labels = some_digits(60)
    way = PRETRAININGS["softmatch"].how
    assert isinstance(way, Loop)
    start = SmallCnn(SIDE)
    lessons = lessons_of(images, labels)
    first, again, other = (
        begun(lessons, way, start, seed)[1].state_dict()["student.weight"] for seed in (5, 5, 6)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_checkpoint_from_before_alignment_is_refused_with_a_sentence() -> None:
    images, labels = some_digits(40)
    lessons, way, start = lessons_of(images, labels), PRETRAININGS["softmatch"], SmallCnn(SIDE)
    config = {"epochs": 2, "batch": 20}
    kept: list[bytes] = []
    pretrain(lessons, way, config, 5, network=start, keep=kept.append)
    older = {name: value for name, value in load(kept[0]).items() if name != "parts.head.usual"}
    with pytest.raises(ValueError, match="of another release of this way to learn: begin anew"):
        pretrain(lessons, way, config, 5, network=start, checkpoint=save(older))


def test_softmatch_beats_the_features_it_began_with() -> None:
    images, labels = some_digits(700)
    start = pretrain(Lessons(images[:500]), PRETRAININGS["vicreg"], {"epochs": 2, "batch": 64}, 0)
    lessons = Lessons(images[:500], Answered(images[:40], labels[:40]))
    # Rounding differs between kinds of processors, and so what is learned; the gain is several times as
    # large as is asked.
    grown = pretrain(lessons, PRETRAININGS["softmatch"], {"epochs": 10, "batch": 64}, 0, network=start)
    right = []
    for network in (start, grown):
        with torch.no_grad():
            features = network(torch.from_numpy(images)).numpy()
        head = METHODS["transfer"].fit(
            TrainingData(features[:40], labels[:40], 10), {}, np.random.default_rng(0)
        )
        right.append(float((head.logits(features[500:]).argmax(axis=1) == labels[500:]).mean()))
    assert right[1] > right[0] + 0.03, right
