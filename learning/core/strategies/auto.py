import numpy as np

from learning.core.pool import Pool, Query
from learning.core.strategies.base import STRATEGIES, strategy


@strategy(
    "auto",
    title="Automatic",
    summary="covers the pool until there is a model, then asks what stands for most of the images it doubts; "
    "a choice for those who make none.",
    cost="That of the strategy it chooses.",
    screen=lambda known, rng: STRATEGIES[choose(known)[0]].screen(known, rng),
)
def auto(pool: Pool, k: int, rng: np.random.Generator) -> Query:
    """Coverage before uncertainty (Hacohen et al. 2022): herding alone, then weighted by the model's doubts,
    with a kernel that narrows as labels fill the space (Bae et al. 2025).

    The first model's doubts count at once: to go by coverage until all classes had labels and neighbours
    agreed gained nothing on the sets of `benchmarks.labels`, and cost accuracy at the first 20 to 30 labels.
    """
    name, why = choose(pool)
    used = STRATEGIES[name]
    query = used.choose(pool, k, rng)
    return Query(query.indices, query.scores, f"{used.title}, as {why}.")


def choose(pool: Pool) -> tuple[str, str]:
    """The strategy's name and the evidence for it, the end of a sentence."""
    if pool.embeddings is None:
        if pool.proba is None:
            return "random", "there are neither embeddings nor a model yet"
        return "margin", "there are no embeddings to cover the pool by"
    if pool.proba is None:
        return "maxherding", "there is no model yet"
    return "uherding", "the model says what it is unsure of"
