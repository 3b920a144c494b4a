"""Every operation and every augmentation keeps the contract; torchvision's own classes are the reference."""

import json

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from learning.core.augmentation import AUGMENTATIONS, OPERATIONS, Applied, Drawn, Policy, joined, policy_from
from learning.core.augmentation.fixed import THEIR_NAMES, their_policy
from learning.core.augmentation.grouped import apply_each

BILINEAR = v2.InterpolationMode.BILINEAR
POLICY = Policy(
    (
        (Applied("rotate", 0.5, 0.8), Applied("cutout", 1.0, 0.5)),
        (Applied("invert", 0.25, 0.0),),
    )
)


def some_pictures(count: int = 12, channels: int = 3) -> torch.Tensor:
    """Noise within a black border, as drawings are."""
    made = torch.zeros(count, channels, 32, 32, dtype=torch.uint8)
    noise = torch.randint(0, 256, (count, channels, 24, 24), generator=torch.Generator().manual_seed(1))
    made[:, :, 4:28, 4:28] = noise.to(torch.uint8)
    return made


def seeded(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_an_operation_keeps_shape_and_input_and_draws_from_the_generator_only(name: str) -> None:
    one, images = OPERATIONS[name], some_pictures()
    before, state = images.clone(), torch.get_rng_state()
    for magnitude in (0.0, 0.5, 1.0):
        value = one.value(magnitude)
        for sign in (1, -1) if one.signed else (1,):
            changed = one.apply(images, sign * value, Drawn(seeded(), images))
            assert (changed.shape, changed.dtype) == (images.shape, torch.uint8)
            again = one.apply(images, sign * value, Drawn(seeded(), images))
            assert torch.equal(changed, again)
            grey = images[:, :1].contiguous()
            alone = one.apply(grey, sign * value, Drawn(seeded(), grey))
            spread = grey.expand(-1, 3, -1, -1).contiguous()
            three = one.apply(spread, sign * value, Drawn(seeded(), spread))
            # Weighted sums of three equal channels round differently from one.
            assert (three.int() - alone.int()).abs().max() <= 1, (magnitude, sign)
    assert torch.equal(images, before)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("theirs", list(THEIR_NAMES))
def test_operations_are_torchvisions(theirs: str) -> None:
    reference = v2.AutoAugment(interpolation=BILINEAR)
    one, images = OPERATIONS[THEIR_NAMES[theirs]], some_pictures()
    table, signed = reference._AUGMENTATION_SPACE[theirs]
    values = table(10, 32, 32)
    assert one.signed == signed
    for strength in (0, 4, 9) if values is not None else (0,):
        for sign in (1, -1) if signed else (1,):
            value = sign * float(values[strength]) if values is not None else 0.0
            expected = reference._apply_image_or_video_transform(images, theirs, value, BILINEAR, {})
            found = one.apply(images, sign * one.value(strength / 9), Drawn(seeded(), images))
            assert (found.int() - expected.int()).abs().max() <= 1, (strength, sign)


@pytest.mark.parametrize("name", list(AUGMENTATIONS))
def test_an_augmentation_is_determined_by_its_generator(name: str) -> None:
    apply, images = AUGMENTATIONS[name].apply, some_pictures(40)
    before, state = images.clone(), torch.get_rng_state()
    changed = apply(images, seeded())
    assert (changed.shape, changed.dtype) == (images.shape, torch.uint8)
    assert torch.equal(changed, apply(images, seeded()))
    assert torch.equal(images, before)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(changed, images) == (name == "none")
    # Pictures that are the same are changed each in its own way.
    same = images[:1].expand(40, -1, -1, -1).contiguous()
    assert (len(torch.unique(apply(same, seeded()), dim=0)) > 5) == (name != "none")


@pytest.mark.parametrize("which", ["imagenet", "cifar10", "svhn"])
def test_torchvisions_tables_are_read_whole(which: str) -> None:
    policy = their_policy(which)
    assert [len(one) for one in policy.sub_policies] == [2] * 25
    assert policy_from(json.loads(json.dumps(policy.as_json()))) == policy


def test_pictures_changed_together_are_as_changed_one_by_one() -> None:
    images = some_pictures(6)
    choices = [("rotate", 9.0), None, ("rotate", 9.0), ("posterize", 4.0), ("rotate", -9.0), ("invert", 0.0)]
    together = apply_each(images, choices, seeded())
    for row, choice in enumerate(choices):
        alone = apply_each(images[row : row + 1], [choice], seeded())
        assert torch.equal(together[row], alone[0])


def test_a_policys_shares_are_those_it_says() -> None:
    images = some_pictures(1).expand(4000, -1, -1, -1).contiguous()
    changed = Policy(((Applied("invert", 0.25, 0.0),), (Applied("posterize", 1.0, 1.0),)))(images, seeded())
    inverted = (changed == 255 - images).flatten(1).all(dim=1).float().mean()
    kept = (changed == images).flatten(1).all(dim=1).float().mean()
    assert float(inverted) == pytest.approx(0.125, abs=0.02)
    assert float(kept) == pytest.approx(0.375, abs=0.03)


def test_a_policy_survives_json_and_its_digest_names_it() -> None:
    again = policy_from(json.loads(json.dumps(POLICY.as_json())))
    assert again == POLICY
    assert again.digest == POLICY.digest != joined([POLICY, POLICY]).digest
    assert POLICY.words == ["Turn at 80% for 50%, then Cover a square at 50% for 100%", "Invert for 25%"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (None, "A policy is written as"),
        ({"sub_policies": {}}, "A policy is written as"),
        ({"sub_policies": []}, "has 1 to 200 sub-policies; this one has 0"),
        ({"sub_policies": [[]]}, "number 1 has 0"),
        ({"sub_policies": [3]}, "Sub-policy 1 must be a list"),
        ({"sub_policies": [[{"operation": "rotate"}]]}, "sub-policy 1 must have just operation, probability"),
        (
            {"sub_policies": [[{"operation": "melt", "probability": 1, "magnitude": 1}]]},
            "Sub-policy 1: There is no operation 'melt'",
        ),
        (
            {"sub_policies": [[{"operation": "rotate", "probability": 2, "magnitude": 1}]]},
            "probability of rotate must lie between 0 and 1",
        ),
        (
            {"sub_policies": [[{"operation": "rotate", "probability": float("nan"), "magnitude": 1}]]},
            "probability of rotate must lie between 0 and 1",
        ),
        (
            {"sub_policies": [[{"operation": "rotate", "probability": True, "magnitude": 1}]]},
            "probability of an operation of sub-policy 1 cannot be True",
        ),
    ],
)
def test_what_is_no_policy_gets_a_sentence(data: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        policy_from(data)


def test_what_comes_into_view_has_the_colour_of_the_border() -> None:
    images = torch.full((2, 3, 32, 32), 200, dtype=torch.uint8)
    images[1] = 30
    for name in ("rotate", "shear-x", "shear-y", "translate-x", "translate-y"):
        one = OPERATIONS[name]
        assert torch.equal(one.apply(images, one.value(1.0), Drawn(seeded(), images)), images), name
    assert np.unique(images.numpy()).tolist() == [30, 200]
