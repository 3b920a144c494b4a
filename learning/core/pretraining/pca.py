from typing import TYPE_CHECKING

from learning.core.lazy import lazy
from learning.core.pretraining.base import Lessons, closed_form

if TYPE_CHECKING:
    from learning.core.networks.network import Network

linear = lazy("learning.core.networks.linear", often=False)


@closed_form(
    "pca",
    title="Principal components",
    summary="keeps the ways in which plain pictures differ most; a second's work, without augmentation.",
)
def pca(lessons: Lessons) -> "Network":
    """Pearson 1901."""
    network: Network = linear.principal_components(lessons.pool)
    return network
