"""Many small changes at once: what networks learn from where nobody has searched."""

from typing import TYPE_CHECKING

from learning.core.augmentation.base import Drawn, operation
from learning.core.lazy import lazy

if TYPE_CHECKING:
    import torch

networks = lazy("learning.core.networks.network", often=False)
views = lazy("learning.core.networks.views", often=False)


@operation("views", title="Turned and shifted", span=(0.0, 1.5))
def views_at(images: "torch.Tensor", strength: float, drawn: Drawn) -> "torch.Tensor":
    """Without it a policy of two operations could not do what the default does to every picture, and a
    search would mostly end below it.
    """
    # A grey picture stays grey, in one channel or in three.
    seen = views.view(networks.as_floats(images), drawn.generator, strength, grey_noise=True)
    changed: torch.Tensor = networks.as_bytes(seen)
    return changed
