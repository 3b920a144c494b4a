"""E-processes: of mean 1 where nothing is to be found, which is all that looking at every label needs."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.stats import beta, binom, dirichlet_multinomial, multinomial, norm
from statsmodels.stats.contingency_tables import mcnemar

from serving.core.statistics.burst import begin_weight, log_since_any
from serving.core.statistics.mean_difference import anytime_p, half_width, tuning
from serving.core.statistics.rate_test import log_excess_evidence, null_share
from serving.core.statistics.sample_ratio import CONCENTRATION, log_mismatch_evidence
from serving.core.statistics.sign_test import PRIOR, log_sign_evidence
from serving.core.statistics.two_proportions import log_better_evidence


@pytest.mark.parametrize("n", [1, 2, 7, 60])
def test_the_mean_of_the_evidence_is_one_without_a_difference(n: int) -> None:
    k = np.arange(n + 1)
    assert binom.pmf(k, n, 0.5) @ np.exp(log_sign_evidence(k, n - k)) == pytest.approx(1)
    for share in (0.05, 0.3, 0.5):
        found = np.exp(log_excess_evidence(k, n - k, share))
        assert binom.pmf(k, n, share) @ found == pytest.approx(1)
        assert binom.pmf(k, n, share / 2) @ found < 1
    for weight in (0.5, 0.05):
        arms = {"new": weight, "old": 1 - weight}
        found = np.exp([log_mismatch_evidence({"new": i, "old": n - i}, arms) for i in k.tolist()])
        assert binom.pmf(k, n, weight) @ found == pytest.approx(1)


def test_evidence_since_any_moment_is_of_mean_one_too() -> None:
    """All ways in which five events can fall on the arms in three blocks, with their chances."""
    share, blocks, numbers = 0.1, np.array([0, 0, 1, 1, 2]), np.arange(3)
    ways = (np.arange(32)[:, None] >> np.arange(5)) & 1  # (32, 5): which events the challenger has
    counts = np.stack(
        [
            np.stack([ways[:, blocks == n].sum(axis=1), (1 - ways[:, blocks == n]).sum(axis=1)])
            for n in numbers
        ]
    ).astype(float)  # (3, 2, 32)
    chances = binom.pmf(ways, 1, share).prod(axis=1)

    def log_evidence(since: NDArray[np.float64]) -> NDArray[np.float64]:
        return log_excess_evidence(since[:, 0], since[:, 1], share)

    found = np.exp(log_since_any(counts, numbers, log_evidence))
    assert chances @ found == pytest.approx(begin_weight(numbers).sum())
    assert 0.98 < begin_weight(np.arange(10**6)).sum() < 1
    # By hand: the weighted sum of what there is since each block.
    one = counts[..., 5:6]
    since = [one[n:].sum(axis=0)[:, 0] for n in numbers]
    parts = [np.exp(log_excess_evidence(new, old, share)) for new, old in since]
    assert found[5] == pytest.approx(begin_weight(numbers) @ parts)


def test_the_evidence_is_the_integral_it_stands_for() -> None:
    for wins, losses in ((3, 0), (14, 5), (40, 40)):
        likelihood = quad(lambda p, b=wins, c=losses: p**b * (1 - p) ** c * beta.pdf(p, PRIOR, PRIOR), 0, 1)[
            0
        ]
        assert log_sign_evidence(wins, losses) == pytest.approx(np.log(likelihood * 2 ** (wins + losses)))
        for share in (0.05, 0.4):
            above = quad(lambda p, b=wins, c=losses: p**b * (1 - p) ** c, share, 1)[0] / (1 - share)
            coin = share**wins * (1 - share) ** losses
            assert log_excess_evidence(wins, losses, share) == pytest.approx(np.log(above / coin))
    counts, weights = [70, 25, 5], np.array([0.6, 0.3, 0.1])
    ratio = dirichlet_multinomial.pmf(counts, CONCENTRATION * weights, 100) / multinomial.pmf(
        counts, 100, weights
    )
    named = dict(zip("abc", weights.tolist(), strict=True))
    assert log_mismatch_evidence(dict(zip("abc", counts, strict=True)), named) == pytest.approx(np.log(ratio))


def test_what_the_evidence_rejects_an_exact_mcnemar_test_rejects_too() -> None:
    rejected = 0
    for wins in range(61):
        for losses in range(61 - wins):
            if log_sign_evidence(wins, losses) >= np.log(20):
                rejected += 1
                assert mcnemar([[0, wins], [losses, 0]], exact=True).pvalue < 0.05
    assert rejected > 300


def test_an_error_counts_by_the_share_that_the_arm_should_have() -> None:
    assert null_share(50, 950, 0.05) == pytest.approx(0.05)
    assert null_share(50, 950, 0.05, 2) == pytest.approx(0.1 / 1.05)
    # One big client sticks to the challenger: its errors are no more than its share.
    share = null_share(400, 600, 0.05)
    assert share == pytest.approx(0.4)
    assert log_excess_evidence(40, 60, share) < np.log(20) < log_excess_evidence(40, 60, 0.05)
    assert null_share(0, 0, 0.05) == 0.05
    assert np.isfinite(log_excess_evidence(0, 10**6, 0.5))


def test_the_confidence_sequence_is_where_the_normal_mixture_reaches_its_limit() -> None:
    """Robbins 1970: the mixture of means by N(0, r^2), per observation of variance 1."""
    alpha, planned = 0.05, 500
    r = tuning(alpha, planned)
    for n in (20, 500, 5000):
        half = float(half_width(1 / n, n, alpha, planned))
        total = n * half
        mixture = quad(lambda m, n=n, s=total: np.exp(m * s - n * m * m / 2) * norm.pdf(m, 0, r), -1, 1)[0]
        # The formula is for |difference|: within one in a thousand of the two-sided mixture.
        assert mixture == pytest.approx(1 / alpha, rel=1e-3)
        assert anytime_p(half, 1 / n, n, alpha, planned) == pytest.approx(alpha)
        assert half > norm.isf(alpha / 2) / np.sqrt(n)
    widths = [float(half_width(1, 500, alpha, other)) for other in (50, 500, 5000)]
    assert widths[1] == min(widths)
    # Nothing varies: all right against all wrong.
    assert anytime_p(0.1, 0.0, 40, alpha, planned) == 0
    assert anytime_p(0.0, 0.0, 40, alpha, planned) == 1


def test_a_bandit_looked_at_all_the_time_is_ended_wrongly_in_few_of_100() -> None:
    """Equal arms, each answer of the arm that looks better: where a test of a fixed sample errs."""
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(100):
        right, total = np.array([1.0, 1.0]), np.array([2.0, 2.0])
        for _ in range(200):
            arm = int(rng.beta(right + 1, total - right + 1).argmax())
            right[arm] += rng.random() < 0.8
            total[arm] += 1
        (a, b), (n, m) = right, total
        wrong += max(
            log_better_evidence(a, n - a, b, m - b), log_better_evidence(b, m - b, a, n - a)
        ) >= np.log(40)
    assert wrong / 100 <= 0.05
    assert log_better_evidence(90, 10, 60, 40) > np.log(40) > log_better_evidence(90, 10, 85, 15)
    assert log_better_evidence(0, 0, 5, 5) == 0
