"""Two networks side by side: each sees what it would see alone, and int8 works for both at once."""

import numpy as np
import pytest
import torch

from learning.core.backbones.base import export
from learning.core.networks.efficientnet_lite0 import build
from learning.core.networks.pair import Pair
from learning.core.networks.small_cnn import SmallCnn
from learning.core.predictor import Embedder
from learning.core.quantised import quantised


def test_a_pair_gives_the_features_of_both_also_exported_and_in_int8() -> None:
    torch.manual_seed(0)
    larger, smaller = build(96).eval(), SmallCnn(32).eval()
    rng = np.random.default_rng(0)
    small = np.repeat(rng.integers(0, 256, (24, 32, 32, 1), dtype=np.uint8), 3, axis=3)
    # Each pixel three times in both directions: their averages are the small pictures again.
    images = small.repeat(3, axis=1).repeat(3, axis=2)
    with torch.no_grad():
        alone = [larger(torch.from_numpy(images)).numpy(), smaller(torch.from_numpy(small)).numpy()]
    onnx = export(Pair(larger, smaller), 96)
    found = Embedder(onnx, threads=1).embed(images)
    assert found.shape == (24, 1728 + 384)
    np.testing.assert_allclose(found, np.concatenate(alone, axis=1), atol=2e-3)
    short = Embedder(quantised(onnx, images), threads=1).embed(images)
    for part in (slice(1728), slice(1728, None)):
        assert np.corrcoef(short[:, part].ravel(), found[:, part].ravel())[0, 1] > 0.95


def test_sizes_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="Pictures of 96 pixels cannot be averaged to 40"):
        Pair(SmallCnn(96), SmallCnn(40))
