"""Every pretraining method keeps the contract: determined by its seed, resumable, stoppable, exportable."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from learning.core.backbones.base import export
from learning.core.networks.pretrain import pretrain
from learning.core.networks.small_cnn import SmallCnn
from learning.core.predictor import Embedder
from learning.core.pretraining import PRETRAININGS
from learning.core.pretraining.simclr import TEMPERATURE, nt_xent
from learning.core.pretraining.vicreg import terms

EVERY = pytest.mark.parametrize("name", list(PRETRAININGS))
Images = NDArray[np.uint8]


@pytest.fixture(autouse=True)
def _threads() -> None:
    torch.set_num_threads(2)


def some_digits(count: int) -> tuple[Images, NDArray[np.int64]]:
    found = load_digits()
    greys = [Image.fromarray((image * 15.9375).astype(np.uint8)) for image in found.images[:count]]
    images = [np.asarray(grey.resize((32, 32), Image.Resampling.BICUBIC).convert("RGB")) for grey in greys]
    return np.stack(images), found.target[:count].astype(np.int64)


def bits(network: SmallCnn) -> list[bytes]:
    return [value.numpy().tobytes() for value in network.state_dict().values()]


@EVERY
def test_the_same_seed_gives_the_same_bits_also_when_resumed(name: str) -> None:
    images, _ = some_digits(40)
    kept: list[bytes] = []
    config = {"epochs": 3, "batch": 20}
    whole = pretrain(images, PRETRAININGS[name], config, 5, keep=kept.append)
    assert len(kept) == 3
    resumed = pretrain(images, PRETRAININGS[name], config, 5, checkpoint=kept[0])
    assert bits(resumed) == bits(whole)
    assert bits(pretrain(images, PRETRAININGS[name], config, 6)) != bits(whole)
    for others, seed in ((images, 6), (images[::-1].copy(), 5)):
        with pytest.raises(ValueError, match="of another pretraining"):
            pretrain(others, PRETRAININGS[name], config, seed, checkpoint=kept[0])
    with pytest.raises(ValueError, match="is damaged"):
        pretrain(images, PRETRAININGS[name], config, 5, checkpoint=kept[0][:-9])


@EVERY
def test_it_reports_and_ends_when_told(name: str) -> None:
    images, _ = some_digits(40)
    said: list[tuple[float, str]] = []

    def report(share: float, words: str) -> None:
        said.append((share, words))
        if share >= 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain(images, PRETRAININGS[name], {"epochs": 4, "batch": 20}, 0, report=report)
    assert [share for share, _ in said] == [0.25, 0.5]
    assert said[0][1].startswith("epoch 1 of 4, loss ")


@EVERY
def test_what_is_exported_is_the_network(name: str) -> None:
    images, _ = some_digits(40)
    network = pretrain(images, PRETRAININGS[name], {"epochs": 1, "batch": 20}, 0)
    with torch.no_grad():
        expected = network(torch.from_numpy(images)).numpy()
    found = Embedder(export(network, 32)).embed(images)
    assert found.shape == (40, network.features)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert export(network, 32) == export(network, 32)


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
        pretrain(images, PRETRAININGS["vicreg"], config, 0)


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
    pretrained = pretrain(images[:500], PRETRAININGS["vicreg"], {"epochs": 12, "batch": 64}, 0)
    scores = []
    for network in (SmallCnn(32).eval(), pretrained):
        with torch.no_grad():
            features = network(torch.from_numpy(images)).numpy()
        z = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-3)
        z /= np.linalg.norm(z, axis=1, keepdims=True)
        draws = [np.random.default_rng(seed).choice(500, 40, replace=False) for seed in range(5)]
        models = [LogisticRegression(C=30, max_iter=1000).fit(z[rows], labels[rows]) for rows in draws]
        scores.append(np.mean([model.score(z[500:], labels[500:]) for model in models]))
    assert scores[1] > scores[0] + 0.05, scores
