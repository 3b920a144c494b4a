"""Children judge policies: the same in every thread; what diverges counts as nothing."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.pictures import larger_sets
from learning.core.augmentation import AUGMENTATIONS, Applied, Policy
from learning.core.children.children import children_train
from learning.core.children.guards import destroyed, telling
from learning.core.children.judge import Judge, channels_first
from learning.core.children.pictures import examples_png
from learning.core.policy_search.base import Judged
from learning.core.policy_search.labels import evenly
from learning.core.policy_search.plan import WIDTHS, ChildPlan
from learning.core.policy_search.session import Trial
from learning.core.pretraining import Answered
from tests.learning.core.pretraining.test_pretraining import some_digits

QUICK = ChildPlan(looked_at=600)
POLICY = Policy(((Applied("rotate", 0.5, 0.5), Applied("cutout", 0.5, 0.5)),))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def arrows(count: int = 60) -> Answered:
    """Wedges that point left, or right."""
    rng = np.random.default_rng(0)
    images = np.zeros((count, 32, 32, 3), np.uint8)
    labels = (np.arange(count) % 2).astype(np.int64)
    for image, label in zip(images, labels, strict=True):
        top, left = rng.integers(3, 9, 2)
        for row in range(16):
            width = 16 - abs(8 - row) * 2
            start = left if label else left + 16 - width
            image[top + row, start : start + width] = 255
    return Answered(images, labels)


def trial(policy: Policy | None = POLICY, kind: str = "search", seed: int = 5) -> Trial:
    return Trial(0, "search" if kind == "search" else "finalist", seed, "none", policy)


@pytest.mark.parametrize("how", ["child", "density"])
def test_a_reward_depends_on_labels_and_seed_only(how: Judged) -> None:
    images, labels = some_digits(60)
    known = Answered(images, labels)
    alone = Judge(known, 10, QUICK, 0).outcome(trial(), how).reward
    assert 0 < alone <= 1
    with ThreadPoolExecutor(2) as threads:
        # Side by side, as in a worker with threads.
        both = list(threads.map(lambda _: Judge(known, 10, QUICK, 0).outcome(trial(), how).reward, range(2)))
    assert both == [alone, alone]


def test_finalists_are_judged_on_other_halves_of_the_labels() -> None:
    images, labels = some_digits(60)
    judge = Judge(Answered(images, labels), 10, QUICK, 0)
    seen: list[NDArray[np.int64]] = []
    for kind, seed in (("search", 1), ("search", 2), ("finalist", 1), ("finalist", 2)):
        parts = judge.halves(trial(kind=kind, seed=seed))
        assert np.array_equal(np.sort(np.concatenate([asked for _, asked in parts])), np.arange(60))
        seen.append(parts[0][1])
    assert np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])
    assert not np.array_equal(seen[2], seen[3])


def test_children_learn_few_of_many_labels_and_answer_all_others() -> None:
    images, labels = some_digits(300)
    judge = Judge(Answered(images, labels), 10, replace(QUICK, labels=60), 0)
    assert (judge.finals.labels, judge.finals.looked_at) == (300, 5 * 600)
    for kind, learned in (("search", 30), ("finalist", 150)):
        for mine, asked in judge.halves(trial(kind=kind)):
            assert len(mine) == pytest.approx(learned, abs=5)
            assert set(labels[mine]) == set(range(10))
            assert not set(mine) & set(asked)
            assert len(asked) == (300 - 60) + 60 - len(mine) if kind == "search" else 300 - len(mine)
    assert judge.outcome(trial(), "child").reward > 0.2


@given(labels=st.lists(st.integers(0, 5), min_size=1, max_size=60), count=st.integers(1, 70))
def test_of_many_labels_two_of_each_class_then_as_its_share(labels: list[int], count: int) -> None:
    known = np.array(labels)
    rows = evenly(known, count, np.random.default_rng(0))
    kept, wanted = np.bincount(known[rows], minlength=6), np.bincount(known, minlength=6)
    most = max(count, 2 * len(set(labels)))
    assert np.array_equal(rows, np.unique(rows))
    assert len(rows) == min(len(labels), most)
    assert (kept >= np.minimum(wanted, 2)).all()
    # Beyond two of each, no class got a label before another that had a smaller share of its own.
    spare, short = kept > 2, kept < wanted
    if spare.any() and short.any():
        last, next_ = (kept - 0.5)[spare] / wanted[spare], (kept + 0.5)[short] / wanted[short]
        assert last.max() <= next_.min() + 1e-9


def test_a_child_that_diverges_is_worth_nothing_and_stops_nothing() -> None:
    images, labels = some_digits(60)
    judge = Judge(Answered(images, labels), 10, QUICK, 0)
    judge.images = torch.full_like(judge.images, torch.nan, dtype=torch.float)
    found = judge.outcome(trial(None), "child")
    assert (found.reward, found.diverged) == (0.0, True)


def test_an_augmentation_that_ruins_pictures_is_worth_less() -> None:
    images, labels = some_digits(100)
    judge = Judge(Answered(images, labels), 10, ChildPlan(looked_at=3_000), 0)
    covered = Policy(((Applied("solarize", 1.0, 1.0), Applied("posterize", 1.0, 1.0)),))
    plain, ruined = (judge.outcome(trial(one), "child").reward for one in (None, covered))
    assert plain > ruined + 0.02


def test_operations_that_make_one_class_of_another_are_found_and_named() -> None:
    known = arrows()
    found = destroyed(known, ["mirror", "rotate", "invert", "brightness", "cutout"], 0)
    assert [one.operation for one in found] == ["mirror"]
    assert found[0].share > 0.9
    words = found[0].words(["left", "right"])
    assert words.startswith("Mirror makes ")
    assert "look like another class, mostly '" in words


def test_where_colours_tell_classes_what_swaps_them_is_found() -> None:
    """Black and white squares, anywhere, on grey: by shape, inverting changes nothing."""
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 2
    images = rng.integers(118, 138, (80, 32, 32, 3)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        top, left = rng.integers(0, 8, 2)
        image[top : top + 24, left : left + 24] = 235 if label else 20
    found = destroyed(Answered(images, labels), ["invert", "rotate", "mirror", "shear-x", "cutout"], 0)
    assert [(one.operation, one.share) for one in found] == [("invert", 1.0)]
    mixed = Answered(images, rng.permutation(labels))
    assert telling(mixed) is None
    assert destroyed(mixed, ["invert"], 0) == [], "who knows what the classes are about?"


def test_upside_down_a_6_is_a_9() -> None:
    images, labels = some_digits(300)
    found = destroyed(Answered(images, labels), ["upside-down", "shear-x", "invert", "contrast"], 0)
    assert [(one.operation, {one.truth, one.becomes}) for one in found] == [("upside-down", {6, 9})]


def test_few_labels_do_not_tell_against_harmless_operations() -> None:
    """Of 1,700 digits, none of these makes one into another."""
    harmless = ["equalize", "translate-y", "rotate", "shear-x", "shear-y", "solarize", "brightness"]
    images, labels = some_digits(1_700)
    found = []
    for seed in range(8):
        rows = np.random.default_rng(seed).permutation(len(images))[:80]
        found += destroyed(Answered(images[rows], labels[rows]), harmless, seed)
    assert len(found) <= 2, found  # of 56; where the nearest other picture decided, 10


def test_mirrored_handwriting_is_other_handwriting_and_paler_is_not() -> None:
    (mnist,) = larger_sets()
    rows = np.random.default_rng(0).permutation(len(mnist.images))[:300]
    known = Answered(mnist.prepared(32)[rows], mnist.labels[rows])
    (found,) = destroyed(known, ["mirror", "brightness", "contrast", "solarize", "cutout", "rotate"], 0)
    assert (found.operation, found.truth, found.becomes) == ("mirror", 5, 2)
    assert found.share > 0.8


def test_a_fraction_of_the_labels_is_a_part_of_them() -> None:
    images, labels = some_digits(100)
    judge = Judge(Answered(images, labels), 10, QUICK, 3, fraction=0.5)
    assert judge.images.shape[:2] == (50, 1)
    with pytest.raises(ValueError, match="There are 5 labels for 10 classes"):
        Judge(Answered(images, labels), 10, QUICK, 3, fraction=0.05)


def test_grey_pictures_are_learned_as_the_coloured_ones_they_are_equal_to() -> None:
    images, labels = some_digits(40)
    truth = torch.from_numpy(labels)
    none = AUGMENTATIONS["none"].apply
    # So few steps that rounding, which differs between kinds of processors, has not grown yet.
    short = replace(QUICK, looked_at=320)
    three = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    grey = children_train([channels_first(images)], [truth], 10, none, short, [0])
    coloured = children_train([three], [truth], 10, none, short, [0])
    np.testing.assert_allclose(grey.logits([three]), coloured.logits([three]), atol=1e-4)


@pytest.mark.parametrize("size", list(WIDTHS))
def test_siblings_learn_what_each_would_learn_alone(size: str) -> None:
    images, labels = some_digits(61)
    every, truth = channels_first(images), torch.from_numpy(labels)
    halves = [slice(0, 31), slice(31, 61)]
    # Adam makes whole steps of what rounding leaves of a gradient: few and small ones.
    plan = ChildPlan(size, looked_at=64, batch=16, rate=1e-3)
    own, known = [every[half] for half in halves], [truth[half] for half in halves]
    together = children_train(own, known, 10, POLICY, plan, [3, 4]).logits(own)
    for number in range(2):
        alone = children_train([own[number]], [known[number]], 10, POLICY, plan, [3 + number])
        np.testing.assert_allclose(alone.logits([own[number]])[0], together[number], atol=2e-2)


def test_examples_show_pictures_as_they_are_first() -> None:
    images, _ = some_digits(10)
    data = examples_png(images, POLICY, 0)
    assert data.startswith(b"\x89PNG")
    assert data == examples_png(images, POLICY, 0)
