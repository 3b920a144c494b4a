"""Every pretraining method keeps the contract: determined by its seed, resumable, stoppable, exportable."""

import re
import time
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from learning.core.backbones import BACKBONES
from learning.core.backbones.base import export
from learning.core.networks import pretrain as training
from learning.core.networks.network import Network
from learning.core.networks.pretrain import epochs_within, pretrain
from learning.core.networks.small_cnn import SmallCnn
from learning.core.networks.stored import kind_of, network_bytes, network_from
from learning.core.predictor import Embedder
from learning.core.pretraining import PRETRAININGS, Answered, Lessons, Loop, Step
from learning.core.pretraining.meta_learning import episode, prototypes
from learning.core.pretraining.simclr import TEMPERATURE, nt_xent
from learning.core.pretraining.vicreg import terms

LOOPS = {name: way.how for name, way in PRETRAININGS.items() if isinstance(way.how, Loop)}
EVERY = pytest.mark.parametrize("name", list(LOOPS))
Images = NDArray[np.uint8]
SIDE = 16  # twice what digits have, and a quarter of the product's work


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(2)
    monkeypatch.setattr(training, "EPOCH_STEPS", 2)


def some_digits(count: int, size: int = SIDE) -> tuple[Images, NDArray[np.int64]]:
    found = load_digits()
    greys = [Image.fromarray((image * 15.9375).astype(np.uint8)) for image in found.images[:count]]
    images = [
        np.asarray(grey.resize((size, size), Image.Resampling.BICUBIC).convert("RGB")) for grey in greys
    ]
    return np.stack(images), found.target[:count].astype(np.int64)


def lessons_of(images: Images, labels: NDArray[np.int64]) -> Lessons:
    """The first half is labelled."""
    half = len(images) // 2
    return Lessons(images, Answered(images[:half], labels[:half]))


def start_of(name: str, size: int = SIDE) -> Network | None:
    """What goes on from a network gets one that is new."""
    torch.manual_seed(0)
    return SmallCnn(size) if PRETRAININGS[name].from_labels else None


def bits(network: Network) -> list[bytes]:
    return [value.numpy().tobytes() for value in network.state_dict().values()]


@EVERY
def test_the_same_seed_gives_the_same_bits_also_when_resumed(name: str) -> None:
    images, labels = some_digits(40)
    lessons, way, start = lessons_of(images, labels), PRETRAININGS[name], start_of(name)
    begun_with = bits(start) if start else []
    kept: list[bytes] = []
    config = {"epochs": 2, "batch": 20}
    whole = pretrain(lessons, way, config, 5, network=start, keep=kept.append)
    assert len(kept) == 2
    resumed = pretrain(lessons, way, config, 5, network=start, checkpoint=kept[0])
    assert bits(resumed) == bits(whole)
    assert bits(pretrain(lessons, way, config, 6, network=start)) != bits(whole)
    assert (bits(start) if start else []) == begun_with
    for others, seed in ((lessons, 6), (lessons_of(images[::-1].copy(), labels), 5)):
        with pytest.raises(ValueError, match="of another pretraining"):
            pretrain(others, way, config, seed, network=start, checkpoint=kept[0])
    with pytest.raises(ValueError, match="is damaged"):
        pretrain(lessons, way, config, 5, network=start, checkpoint=kept[0][:-9])


@EVERY
def test_it_reports_and_ends_when_told(name: str) -> None:
    lessons = lessons_of(*some_digits(40))
    said: list[tuple[float, str]] = []

    def report(share: float, words: str) -> None:
        said.append((share, words))
        if share >= 0.5:
            raise KeyboardInterrupt

    config = {"epochs": 4, "batch": 20}
    with pytest.raises(KeyboardInterrupt):
        pretrain(lessons, PRETRAININGS[name], config, 0, network=start_of(name), report=report)
    assert [share for share, _ in said] == [0.25, 0.5]
    assert said[0][1].startswith("epoch 1 of 4, loss ")


@EVERY
def test_what_is_exported_is_the_network_and_its_weights_make_it_again(name: str) -> None:
    images, labels = some_digits(40)
    lessons = lessons_of(images, labels)
    network = pretrain(lessons, PRETRAININGS[name], {"epochs": 1, "batch": 20}, 0, network=start_of(name))
    with torch.no_grad():
        expected = network(torch.from_numpy(images)).numpy()
    found = Embedder(export(network, SIDE)).embed(images)
    assert found.shape == (40, network.features)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    again = network_from(kind_of(network), SIDE, network_bytes(network))
    assert export(again, SIDE) == export(network, SIDE)


@EVERY
def test_it_says_what_it_lacks(name: str) -> None:
    images, _ = some_digits(40)
    way = PRETRAININGS[name]
    one_class = Lessons(images, Answered(images[:5], np.zeros(5, np.int64)))
    for lessons in (Lessons(images), one_class):
        if way.needs:
            with pytest.raises(ValueError, match=f"{re.escape(way.title)} needs "):
                pretrain(lessons, way, {"epochs": 1}, 0, network=start_of(name))
        else:
            assert lessons.lacks(way.needs) == ""


@pytest.mark.parametrize("name", [name for name, way in PRETRAININGS.items() if way.from_labels])
def test_pretrained_networks_for_photographs_are_trained_further_too(name: str) -> None:
    images, labels = some_digits(24, size=32)
    start = BACKBONES["efficientnet-lite0"].build()
    assert isinstance(start, Network)
    config = {"epochs": 1, "batch": 8}
    grown = pretrain(lessons_of(images, labels), PRETRAININGS[name], config, 0, network=start)
    assert (grown.features, kind_of(grown)) == (1728, "efficientnet-lite0")
    assert bits(grown) != bits(start)


def test_a_budget_of_time_becomes_a_number_of_epochs() -> None:
    lessons = lessons_of(*some_digits(40))
    way, config = PRETRAININGS["vicreg"], {"batch": 20}
    assert epochs_within(1e-6, lessons, way, config, None) == 1
    few, many = (epochs_within(seconds, lessons, way, config, None) for seconds in (1.0, 100.0))
    assert 1 <= few < many


@pytest.mark.parametrize("name", ["fine-tuning", "vicreg"])
def test_too_little_time_for_one_epoch_is_said_after_two_small_steps(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "EPOCH_STEPS", 1_000)
    lessons, way = lessons_of(*some_digits(40)), PRETRAININGS[name]
    taken: list[Step] = []
    stepped = training._stepped

    def watched(*given: Any) -> float:
        taken.append(given[-1])
        time.sleep(0.05)
        return stepped(*given)

    monkeypatch.setattr(training, "_stepped", watched)
    monkeypatch.setattr(training, "ANYWAY", 0.01)
    words = "takes about [0-9,]+ seconds here, and 0 are left for training: give it more minutes"
    with pytest.raises(ValueError, match=words) as refused:
        epochs_within(0.01, lessons, way, {"batch": 4_096}, start_of(name))
    assert [step.batch <= LOOPS[name].batch for step in taken] == [True, True]
    assert taken[0].share > 0.9  # when every stage is trained
    assert ("choose a smaller batch" in str(refused.value)) == way.draws


def test_a_long_epoch_reports_between_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    lessons = lessons_of(*some_digits(40))
    said: list[str] = []

    def learned() -> list[bytes]:
        config = {"epochs": 2, "batch": 20}
        return bits(pretrain(lessons, PRETRAININGS["vicreg"], config, 0, report=lambda _, x: said.append(x)))

    plain = learned()
    assert len(said) == 2
    monkeypatch.setattr(training, "TOLD", 0.0)
    assert learned() == plain
    assert said[2] == "epoch 1 of 2, step 1 of 2"
    assert [words[:12] for words in said[2:]] == 2 * ["epoch 1 of 2"] + 2 * ["epoch 2 of 2"]


def test_principal_components_are_scikit_learns() -> None:
    images, _ = some_digits(300)
    network = pretrain(Lessons(images), PRETRAININGS["pca"], {}, 0)
    found = Embedder(export(network, SIDE)).embed(images)
    flat = images.transpose(0, 3, 1, 2).reshape(300, -1) / 127.5 - 1
    expected = PCA(20, svd_solver="full").fit_transform(flat)
    assert found.shape == (300, 128)
    np.testing.assert_allclose(np.abs(found[:, :20]), np.abs(expected), atol=0.02)
    again = network_from(kind_of(network), SIDE, network_bytes(network))
    assert export(again, SIDE) == export(network, SIDE)
    few = pretrain(Lessons(images[:5]), PRETRAININGS["pca"], {}, 0)
    assert np.isfinite(Embedder(export(few, SIDE)).embed(images)).all()


def test_fine_tuning_thaws_the_deepest_stage_first() -> None:
    images, labels = some_digits(40)
    lessons, way = lessons_of(images, labels), LOOPS["fine-tuning"]
    network = SmallCnn(SIDE)
    head = way.head(network, lessons)
    thawed = []
    for share in (0.0, 0.25, 0.5, 0.99):
        generator = torch.Generator().manual_seed(0)
        way.loss(network, head, Step(torch.empty(0, 3, SIDE, SIDE), share, lessons, generator, batch=8))
        thawed.append([next(stage.parameters()).requires_grad for stage in network.stages])
    assert thawed == [
        [False, False, False],
        [False, False, True],
        [False, True, True],
        [True, True, True],
    ]


def test_episodes_come_from_other_projects_and_ask_what_is_not_labelled_in_them() -> None:
    images, labels = some_digits(60)
    marked = np.zeros_like(images)
    marked[..., 0] = labels[:, None, None]  # a picture shows its label
    other = Answered(marked, labels)
    lessons = Lessons(images, Answered(images, labels), (other,))
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        x, found, shots = episode(lessons, generator)
        shown = ((x[:, 0, 0, 0] + 1) * 127.5).round().long()
        known = {int(number): int(label) for number, label in zip(found[:shots], shown[:shots], strict=True)}
        assert sorted(known) == list(range(len(known)))
        assert set(found[shots:].tolist()) == set(known)
        assert all(known[int(n)] == int(label) for n, label in zip(found, shown, strict=True))


def test_a_new_head_answers_by_the_nearest_mean() -> None:
    generator = torch.Generator().manual_seed(2)
    z, labels = torch.randn(12, 5, generator=generator), torch.arange(12) % 3
    weight, bias = prototypes(z, labels, int(labels.max()) + 1)
    means = torch.stack([z[labels == label].mean(dim=0) for label in range(3)])
    assert torch.equal((z @ weight.T + bias).argmax(dim=1), torch.cdist(z, means).argmin(dim=1))


@pytest.mark.parametrize(
    ("images", "config", "sentence"),
    [
        (some_digits(1)[0], {}, "at least two pictures; there are 1"),
        (np.zeros((5, 32, 32, 3), np.uint8), {}, "All pictures are the same"),
        (some_digits(5)[0], {"epochs": 0}, "'epochs' must be a whole number from 1"),
        (some_digits(5)[0], {"batch": 2.5}, "'batch' must be a whole number from 2"),
        (some_digits(5)[0], {"rate": float("nan")}, "'rate' must lie between 0 and 1"),
    ],
)
def test_bad_input_gets_a_sentence(images: Images, config: dict[str, float], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        pretrain(Lessons(images), PRETRAININGS["vicreg"], config, 0)


def test_vicregs_terms_are_the_papers() -> None:
    first, second = torch.randn(2, 12, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = 25 * float(((first - second) ** 2).mean())
    for z in (first.numpy(), second.numpy()):
        covariance = np.cov(z.T)
        hinge = [max(0.0, 1 - np.sqrt(covariance[i, i] + 1e-4)) for i in range(5)]
        expected += 25 / 2 * float(np.mean(hinge))
        expected += sum(covariance[i, j] ** 2 for i in range(5) for j in range(5) if i != j) / 5
    assert float(terms(first, second)) == pytest.approx(expected)


def test_nt_xent_is_the_papers() -> None:
    z = torch.randn(6, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    unit = (z / z.norm(dim=1, keepdim=True)).numpy()
    losses = []
    for i in range(6):
        similar = np.exp(unit @ unit[i] / TEMPERATURE)
        losses.append(-np.log(similar[(i + 3) % 6] / (similar.sum() - similar[i])))
    assert float(nt_xent(z)) == pytest.approx(np.mean(losses))


def test_a_short_pretraining_beats_the_network_it_began_with() -> None:
    images, labels = some_digits(700)
    torch.manual_seed(0)
    pretrained = pretrain(Lessons(images[:500]), PRETRAININGS["vicreg"], {"epochs": 12, "batch": 64}, 0)
    scores = []
    for network in (SmallCnn(SIDE).eval(), pretrained):
        with torch.no_grad():
            features = network(torch.from_numpy(images)).numpy()
        z = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-3)
        z /= np.linalg.norm(z, axis=1, keepdims=True)
        draws = [np.random.default_rng(seed).choice(500, 40, replace=False) for seed in range(5)]
        models = [LogisticRegression(C=30, max_iter=1000).fit(z[rows], labels[rows]) for rows in draws]
        scores.append(np.mean([model.score(z[500:], labels[500:]) for model in models]))
    assert scores[1] > scores[0] + 0.05, scores
