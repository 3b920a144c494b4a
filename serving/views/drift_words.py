"""What a notice of drift says."""

from dataclasses import dataclass
from datetime import datetime

from labelling.models import Project
from serving import selectors
from serving.models import Deployment, DriftWindow


@dataclass(frozen=True)
class Notice:
    title: str
    question: str  # its prompt, where there are several
    found: list[str]  # a sentence each: how the images look, what is answered
    since: datetime
    windows: int  # one after the other that have drifted
    images: int  # of the last


def drift_notices(project: Project) -> list[Notice]:
    """Of each question whose last window has drifted."""
    deployments = selectors.deployments_of(project)
    found = ((one, selectors.drift_now(one)) for one in deployments)
    return [_notice(one, drifted, len(deployments) > 1) for one, drifted in found if drifted]


def _notice(deployment: Deployment, drifted: selectors.Drifted, several: bool) -> Notice:
    last = drifted.last
    found = []
    if last.inputs_drifted and last.inputs_size is not None:
        found.append(
            f"They look different: their average lies {last.inputs_size:.1f} spreads from that of the "
            f"project's images (p {_p(last.inputs_p)})."
        )
    if last.answers_drifted:
        found.append(_answers(last))
    else:
        found.append("What the model answers is spread as ever, so its answers alone do not show it.")
    return Notice(
        "Clients send other images than the model was trained on."
        if last.inputs_drifted
        else "The model answers clients otherwise than it answers for the project's own images.",
        deployment.question.prompt if several else "",
        found,
        drifted.since,
        drifted.windows,
        max(last.compared, sum(last.live.values())),
    )


def _answers(last: DriftWindow) -> str:
    pool, live = sum(last.pool.values()), sum(last.live.values())
    apart = {
        name: last.live.get(name, 0) / live - last.pool.get(name, 0) / pool
        for name in {*last.pool, *last.live}
    }
    name = max(sorted(apart), key=lambda one: abs(apart[one]))
    return (
        f"Version {last.model_version.number} answers '{name}' to {last.live.get(name, 0) / live:.0%} of "
        f"theirs and to {last.pool.get(name, 0) / pool:.0%} of the project's (p {_p(last.p)})."
    )


def _p(p: float | None) -> str:
    return "not known" if p is None else f"{p:.4f}" if p >= 0.0001 else "below 0.0001"
