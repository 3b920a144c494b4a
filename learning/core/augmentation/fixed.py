"""Augmentations that need no search, selectable by name.

torchvision's classes draw once for a whole batch, and from the global generator. Here their tables are read,
and every picture gets a draw of its own from the generator handed in; the operations are torchvision's.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from learning.core import registry
from learning.core.augmentation.base import OPERATIONS
from learning.core.augmentation.grouped import Choice, apply_each
from learning.core.augmentation.policy import Applied, Augment, Policy
from learning.core.lazy import lazy

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch", often=False)

v2 = lazy("torchvision.transforms.v2", often=False)
networks = lazy("learning.core.networks.network", often=False)
views = lazy("learning.core.networks.views", often=False)

THEIR_NAMES = {
    "ShearX": "shear-x",
    "ShearY": "shear-y",
    "TranslateX": "translate-x",
    "TranslateY": "translate-y",
    "Rotate": "rotate",
    "Brightness": "brightness",
    "Color": "color",
    "Contrast": "contrast",
    "Sharpness": "sharpness",
    "Posterize": "posterize",
    "Solarize": "solarize",
    "AutoContrast": "autocontrast",
    "Equalize": "equalize",
    "Invert": "invert",
}


@dataclass(frozen=True)
class Augmentation:
    name: str
    title: str
    summary: str  # one sentence for the page that offers it
    apply: Augment


AUGMENTATIONS: dict[str, Augmentation] = {}


def augmentation(name: str, *, title: str, summary: str) -> Callable[[Augment], Augment]:
    def register(apply: Augment) -> Augment:
        registry.add(AUGMENTATIONS, Augmentation(name, title, summary, apply), "augmentation")
        return apply

    return register


@augmentation(
    "views",
    title="Turned and shifted",
    summary="a little turned, sheared, shifted, scaled, lighter or darker, with noise and a square covered; "
    "never mirrored.",
)
def views_of(images: "torch.Tensor", generator: "torch.Generator") -> "torch.Tensor":
    seen: torch.Tensor = networks.as_bytes(views.view(networks.as_floats(images), generator))
    return seen


@augmentation("none", title="None", summary="pictures as they are.")
def none(images: "torch.Tensor", generator: "torch.Generator") -> "torch.Tensor":
    return images


@augmentation(
    "trivial-augment-wide",
    title="TrivialAugment (wide)",
    summary="one operation of 14 at any strength, drawn evenly (Müller and Hutter 2021); strong.",
)
def trivial_augment_wide(images: "torch.Tensor", generator: "torch.Generator") -> "torch.Tensor":
    return _drawn_evenly(images, generator, v2.TrivialAugmentWide._AUGMENTATION_SPACE, 31, range(31))


@augmentation(
    "rand-augment",
    title="RandAugment",
    summary="two operations of 14 one after the other, at strength 9 of 31 (Cubuk et al. 2019).",
)
def rand_augment(images: "torch.Tensor", generator: "torch.Generator") -> "torch.Tensor":
    for _ in range(2):
        images = _drawn_evenly(images, generator, v2.RandAugment._AUGMENTATION_SPACE, 31, range(9, 10))
    return images


@augmentation(
    "augmix",
    title="AugMix",
    summary="the picture mixed with three chains of mild operations (Hendrycks et al. 2020); for robustness.",
)
def augmix(images: "torch.Tensor", generator: "torch.Generator") -> "torch.Tensor":
    """Severity 3; three chains of one to three operations; Dirichlet(1) weights, Beta(1, 1) of it kept."""
    count = len(images)
    # Exponential draws, normalised, are Dirichlet(1, 1, 1); a uniform one is Beta(1, 1).
    weights = -torch.rand(count, 3, generator=generator).clamp(min=1e-12).log()
    weights = weights / weights.sum(dim=1, keepdim=True)
    kept = torch.rand(count, 1, generator=generator)
    depth = torch.randint(1, 4, (count, 3), generator=generator)
    mixed = images.float() * kept[:, :, None, None]
    for chain in range(3):
        end = images
        for place in range(3):
            longer = (depth[:, chain] > place).tolist()
            end = _drawn_evenly(end, generator, v2.AugMix._AUGMENTATION_SPACE, 10, range(3), longer)
        mixed += end * (weights[:, chain, None] * (1 - kept))[:, :, None, None]
    return mixed.round().clamp(0, 255).to(torch.uint8)


def _their_policy(which: str, images: "torch.Tensor", generator: "torch.Generator") -> "torch.Tensor":
    return their_policy(which)(images, generator)


for _which, _title in (("imagenet", "ImageNet"), ("cifar10", "CIFAR-10"), ("svhn", "SVHN")):
    augmentation(
        f"autoaugment-{_which}",
        title=f"AutoAugment for {_title}",
        summary=f"the 25 sub-policies that were found on {_title} (Cubuk et al. 2018).",
    )(functools.partial(_their_policy, _which))


@functools.cache
def their_policy(which: str) -> Policy:
    """torchvision's table as a policy; its magnitudes are bins 0..9 of spans that are the same here."""
    table = v2.AutoAugment(v2.AutoAugmentPolicy[which.upper()])._policies
    return Policy(
        tuple(
            tuple(Applied(THEIR_NAMES[name], chance, (bin_ or 0) / 9) for name, chance, bin_ in sub_policy)
            for sub_policy in table
        )
    )


def _drawn_evenly(
    images: "torch.Tensor",
    generator: "torch.Generator",
    space: Mapping[str, Any],
    bins: int,
    strengths: range,
    wanted: list[bool] | None = None,
) -> "torch.Tensor":
    """One operation of torchvision's `space` for each picture, at one of these of its `bins`."""
    names = list(space)
    side = images.shape[3]
    tables = {name: space[name][0](bins, side, side) for name in names}
    count = len(images)
    lots = zip(
        torch.randint(len(names), (count,), generator=generator).tolist(),
        torch.randint(strengths.start, strengths.stop, (count,), generator=generator).tolist(),
        torch.rand(count, generator=generator).tolist(),
        wanted or [True] * count,
        strict=True,
    )

    def choice(which: int, strength: int, sign: float) -> Choice | None:
        name = names[which]
        if name == "Identity":
            return None
        if tables[name] is None:
            return THEIR_NAMES[name], 0.0
        value = float(tables[name][strength])
        if name.startswith("Translate"):
            value /= side
        one = OPERATIONS[THEIR_NAMES[name]]
        return one.name, -value if one.signed and sign <= 0.5 else value

    return apply_each(
        images,
        [choice(which, strength, sign) if there else None for which, strength, sign, there in lots],
        generator,
    )
