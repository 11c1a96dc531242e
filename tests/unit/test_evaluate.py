"""Evaluation against densities whose coverage, AUC and effective sample size are known in closed form.

Statistical comparisons allow 4 standard deviations of the reported uncertainty, and that uncertainty is itself compared
with the spread over repetitions.
"""

import math

import numpy as np
import pytest
import torch
from nflows.distributions import ConditionalDiagonalNormal, StandardNormal
from nflows.flows.base import Flow
from nflows.transforms import IdentityTransform, PointwiseAffineTransform
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier

from hepflows import evaluate
from hepflows.errors import InputError
from hepflows.evaluate import ranks, two_sample

LEVELS = (0.68, 0.95)


def gaussian_events(events, draws, width=1.0, seed=0, features=2):
    """Truth from N(c, 1) in each feature, draws from q(x|c) = N(c, width^2), and the log densities of both under q."""
    rng = np.random.default_rng(seed)
    condition = rng.normal(scale=5.0, size=(events, features))
    truth = condition + rng.normal(size=(events, features))
    points = condition[:, None] + width * rng.normal(size=(events, draws, features))

    def log_density(x, mean):
        return stats.norm.logpdf(x, mean, width).sum(axis=-1)

    return truth, points, log_density(truth, condition), log_density(points, condition[:, None])


def central_coverage_of_width(width):
    """P(|z| < width z_level) for z normal."""
    return np.array([2 * stats.norm.cdf(width * stats.norm.ppf((1 + level) / 2)) - 1 for level in LEVELS])


def highest_density_coverage_of_width(width):
    """In two dimensions r^2/2 is exponential: P(r < width r_level) = 1 - (1 - level)^(width^2)."""
    return 1 - (1 - np.array(LEVELS)) ** width**2


# ---------------------------------------------------------------- coverage


@pytest.mark.parametrize("width", [1.0, 0.8, 1.3])
@pytest.mark.parametrize("seed", [1, 2])
def test_highest_density_coverage_of_gaussians(width, seed):
    *_, of_truth, of_draws = gaussian_events(8000, 400, width, seed)
    result = evaluate.highest_density_coverage(of_truth, of_draws, LEVELS)
    expected = highest_density_coverage_of_width(width)
    assert np.all(np.abs(result.coverage - expected) < 4 * result.uncertainty)
    assert result.uncertainty == pytest.approx(np.sqrt(expected * (1 - expected) / 8000), rel=0.1)
    assert (result.events, result.draws) == (8000, 400)
    if width == 0.8:
        assert np.all(result.coverage < np.array(LEVELS) - 10 * result.uncertainty)


@pytest.mark.parametrize("width", [1.0, 0.8, 1.3])
@pytest.mark.parametrize("seed", [1, 2])
def test_central_coverage_of_gaussians(width, seed):
    truth, points, *_ = gaussian_events(8000, 400, width, seed)
    result = evaluate.central_coverage(truth, points, LEVELS)
    assert result.coverage.shape == result.uncertainty.shape == (2, 2)
    assert np.all(np.abs(result.coverage - central_coverage_of_width(width)[:, None]) < 4 * result.uncertainty)


@pytest.mark.parametrize("draws", [1, 2, 5, 30])
def test_coverage_is_unbiased_for_few_draws(draws):
    truth, points, of_truth, of_draws = gaussian_events(40_000, draws, seed=draws)
    for result in (
        evaluate.highest_density_coverage(of_truth, of_draws, (0.3, 0.68, 0.95, 0.999)),
        evaluate.central_coverage(truth, points, (0.3, 0.68, 0.95, 0.999)),
    ):
        levels = result.levels.reshape(-1, *[1] * (result.coverage.ndim - 1))
        assert np.all(np.abs(result.coverage - levels) < 4 * np.sqrt(levels * (1 - levels) / 40_000))
    # The naive fraction of denser draws is wrong: with one draw it is 0 or 1, so half of the truths are "inside".
    if draws == 1:
        assert np.mean(np.mean(of_draws > of_truth[:, None], axis=1) <= 0.95) == pytest.approx(0.5, abs=0.01)


def test_coverage_is_unbiased_with_ties():
    rng = np.random.default_rng(4)
    truth, points = rng.integers(3, size=(40_000, 1)), rng.integers(3, size=(40_000, 4, 1))
    log_density = np.array([-1.0, -1.0, -math.inf])  # two values as likely as each other
    for result in (
        evaluate.central_coverage(truth, points, LEVELS),
        evaluate.highest_density_coverage(log_density[truth[:, 0]], log_density[points[..., 0]], LEVELS),
    ):
        assert np.all(np.abs(result.coverage.ravel() - LEVELS) < 4 * np.sqrt([0.68 * 0.32 / 4e4, 0.95 * 0.05 / 4e4]))


def test_coverage_uncertainty_agrees_with_the_spread():
    results = [
        evaluate.highest_density_coverage(*gaussian_events(400, 50, seed=seed)[2:], (0.68,)) for seed in range(300)
    ]
    spread = np.std([result.coverage[0] for result in results], ddof=1)
    # 300 repetitions know their spread to 4 %; averaging over the rank makes the true one a few per cent smaller.
    assert spread == pytest.approx(np.mean([result.uncertainty[0] for result in results]), rel=0.17)


def test_truth_outside_of_the_support_is_never_covered():
    result = evaluate.highest_density_coverage(np.full(10, -np.inf), np.zeros((10, 99)), (0.5, 0.989))
    assert np.all(result.coverage == 0) and np.all(result.uncertainty > 0)


def test_probability_between_is_the_mean_over_the_random_number():
    """The closed form against its definition, by a sum over a fine grid of U."""
    below, ties, draws = np.arange(6), np.array([0, 3, 1, 0, 2, 0]), 7
    grid = (np.arange(100_000) + 0.5) / 100_000
    u = (below + (ties + 1) * grid[:, None]) / (draws + 1)
    for low, high in ((0.0, 0.33), (0.16, 0.84), (0.5, 0.51)):
        expected = np.mean((u > low) & (u < high), axis=0)
        np.testing.assert_allclose(ranks.probability_between(below, ties, draws, low, high), expected, atol=2e-5)


def test_coverage_at_a_level():
    result = evaluate.Coverage(np.array(LEVELS), np.array([0.67, 0.94]), np.array([0.01, 0.02]), 10, 5)
    assert result.at(0.95) == (0.94, 0.02)
    with pytest.raises(InputError, match=r"level: expected one of \[0.68, 0.95\], got 0.9"):
        result.at(0.9)


# ---------------------------------------------------------------- coverage of flows


def conditional_flow(width=1.0):
    """q(x|c) = N(c, width^2) in two features, as an nflows flow."""
    encoder = torch.nn.Linear(2, 4)
    with torch.no_grad():
        encoder.weight[:] = torch.cat([torch.eye(2), torch.zeros(2, 2)])
        encoder.bias[:] = torch.tensor([0.0, 0.0, math.log(width), math.log(width)])
    return Flow(IdentityTransform(), ConditionalDiagonalNormal([2], context_encoder=encoder))


@pytest.mark.parametrize("width", [1.0, 0.8])
def test_flow_coverage_of_conditional_flow(width):
    rng = np.random.default_rng(8)
    context = rng.normal(size=(3000, 2))
    truth = context + rng.normal(size=(3000, 2))
    flow = conditional_flow(width)
    result = evaluate.flow_coverage(flow, truth, context, draws=300)
    expected = highest_density_coverage_of_width(width)
    assert np.all(np.abs(result.coverage - expected) < 4 * result.uncertainty)


def test_flow_coverage_without_context():
    flow = Flow(PointwiseAffineTransform(0.0, 0.5), StandardNormal([2]))  # q = N(0, 2^2)
    truth = np.random.default_rng(9).normal(size=(4000, 2)) * 2
    result = evaluate.flow_coverage(flow, truth, draws=100)
    assert np.all(np.abs(result.coverage - LEVELS) < 4 * result.uncertainty)
    narrow = evaluate.flow_coverage(flow, truth / 0.8, draws=300)
    assert np.all(np.abs(narrow.coverage - highest_density_coverage_of_width(0.8)) < 4 * narrow.uncertainty)


def test_draws_of_each_condition_are_its_own_and_repeatable():
    flow = conditional_flow(width=0.01)
    context = np.random.default_rng(10).normal(size=(50, 2))
    points = evaluate.conditional_draws(flow, context, draws=400, rng=3)
    assert points.shape == (50, 400, 2)
    np.testing.assert_allclose(points.mean(axis=1), context, atol=5 * 0.01 / 20)
    np.testing.assert_array_equal(points, evaluate.conditional_draws(flow, context, draws=400, rng=3))
    assert not np.array_equal(points, evaluate.conditional_draws(flow, context, draws=400, rng=4))
    rng = np.random.default_rng(3)
    first, second = (evaluate.conditional_draws(flow, context, draws=2, rng=rng) for _ in range(2))
    assert not np.array_equal(first, second), "a generator moves on"


def test_sampling_is_bounded_in_memory_and_leaves_flow_and_random_numbers_alone(monkeypatch):
    flow = conditional_flow().train()
    context = np.zeros((100, 2))
    sizes = []

    def sample_and_log_prob(self, number, context=None, original=Flow.sample_and_log_prob):
        assert not self.training and not torch.is_grad_enabled()
        sizes.append(number * len(context))
        return original(self, number, context)

    monkeypatch.setattr(Flow, "sample_and_log_prob", sample_and_log_prob)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    evaluate.flow_coverage(flow, context, context, draws=7, max_points=100)
    assert torch.equal(torch.rand(3), expected)
    assert sum(sizes) == 700 and max(sizes) <= 100
    assert flow.training


# ---------------------------------------------------------------- probability integral transform


@pytest.mark.parametrize("draws", [1, 3, 200])
def test_pit_of_a_calibrated_density_is_uniform(draws):
    truth, points, *_ = gaussian_events(20_000, draws, seed=12)
    pit = evaluate.probability_integral_transform(truth, points)
    assert pit.shape == (20_000, 2) and np.all((pit > 0) & (pit < 1))
    result = evaluate.pit_uniformity(pit, bins=25)
    assert result.counts.shape == (2, 25) and result.counts.sum() == 40_000 and result.expected == 800
    assert result.band == pytest.approx(math.sqrt(20_000 * 0.04 * 0.96))
    assert np.all(np.abs(result.counts - result.expected) < 4.5 * result.band)  # 50 bins
    assert np.all(result.ks_p_value > 1e-3)
    # Sum of squared pulls: chi-square with 24 degrees of freedom, up to the factor 1 - 1/25 in the band.
    chi_square = np.sum((result.counts - result.expected) ** 2, axis=1) / result.expected
    assert np.all(stats.chi2.sf(chi_square, 24) > 1e-4)


def test_pit_of_a_narrow_density_has_the_known_shape():
    truth, points, *_ = gaussian_events(20_000, 500, width=0.8, seed=13)
    result = evaluate.pit_uniformity(evaluate.probability_integral_transform(truth, points), bins=10)
    # P(PIT < u) = Phi(0.8 Phi^-1(u))
    expected = 20_000 * np.diff(stats.norm.cdf(0.8 * stats.norm.ppf(result.edges)))
    # 500 draws smear u by at most sqrt(1/4/500) = 0.02, a second-order effect; it is largest in the outer bins.
    assert np.all(np.abs(result.counts - expected)[:, 1:-1] < 4 * np.sqrt(expected[1:-1]))
    assert np.all(result.counts[:, [0, -1]] > result.expected + 10 * result.band)
    assert np.all(result.ks_p_value < 1e-10)


def test_pit_of_ties_is_uniform_and_repeatable():
    rng = np.random.default_rng(14)
    truth, points = rng.integers(2, size=(20_000, 1)), rng.integers(2, size=(20_000, 5, 1))
    pit = evaluate.probability_integral_transform(truth, points, rng=5)
    assert evaluate.pit_uniformity(pit).ks_p_value[0] > 1e-3
    np.testing.assert_array_equal(pit, evaluate.probability_integral_transform(truth, points, rng=5))
    assert not np.array_equal(pit, evaluate.probability_integral_transform(truth, points, rng=6))


# ---------------------------------------------------------------- two-sample test


def shifted(events, distance, seed, features=2):
    rng = np.random.default_rng([seed, 77])
    sample = rng.normal(size=(events, features))
    sample[:, 0] += distance
    return rng.normal(size=(events, features)), sample


@pytest.mark.parametrize(
    "classifier, events, distance",
    [(None, 8000, 1.0), (None, 8000, 2.0)] + [(LogisticRegression(), 4000, distance) for distance in (0.3, 1.0, 2.0)],
)
def test_auc_of_two_gaussians(classifier, events, distance):
    # Logistic regression is optimal here. Trees must learn the shape, and stay below the optimum at small distances.
    result = evaluate.two_sample_auc(*shifted(events, distance, seed=1), classifier=classifier)
    assert result.auc == pytest.approx(stats.norm.cdf(distance / math.sqrt(2)), abs=4 * result.uncertainty)
    assert 0 < result.uncertainty < 0.02
    assert result.auc == pytest.approx(result.fold_auc.mean()) and result.fold_auc.shape == (5,)


def test_network_finds_what_the_trees_find():
    expected = stats.norm.cdf(1 / math.sqrt(2))
    # Units of very different size: the network standardises.
    reference, sample = (part * [1e4, 1e-4] for part in shifted(2000, 1.0, seed=2))
    result = evaluate.two_sample_auc(reference, sample, classifier="network", folds=3)
    assert result.auc == pytest.approx(expected, abs=4 * result.uncertainty)


@pytest.mark.parametrize("seed", range(5))
def test_auc_of_identical_distributions_is_one_half(seed):
    result = evaluate.two_sample_auc(*shifted(1500, 0.0, seed), seed=seed)
    assert result.auc == pytest.approx(0.5, abs=4 * result.uncertainty)


@pytest.mark.parametrize("distance, paired", [(0.0, False), (0.0, True), (1.0, False)])
def test_auc_uncertainty_agrees_with_the_spread_over_repetitions(distance, paired):
    results = []
    for seed in range(60):
        reference, sample = shifted(800, distance, seed)
        if paired:
            condition = np.random.default_rng([seed, 78]).normal(size=(800, 2))
            reference, sample = np.hstack([reference, condition]), np.hstack([sample, condition])
        results.append(
            evaluate.two_sample_auc(
                reference, sample, paired=paired, classifier=LogisticRegression(), bootstrap=100, seed=seed
            )
        )
    values = np.array([result.auc for result in results])
    spread = values.std(ddof=1)
    reported = np.mean([result.uncertainty for result in results])
    assert 1 / 1.5 < reported / spread < 1.5
    # On average over 60 repetitions the value is right, too.
    bias = values.mean() - stats.norm.cdf(distance / math.sqrt(2))
    assert abs(bias) < 4 * spread / math.sqrt(60)
    # The bootstrap alone, for fixed classifiers, misses the correlation of the folds where nothing is to be found.
    assert results[0].uncertainty == pytest.approx(math.sqrt(2) * results[0].bootstrap_error)


def test_pairs_stay_in_one_fold():
    """A classifier that only recognises conditions that it has seen: fooled if pairs are torn, blind if not."""
    rng = np.random.default_rng(15)
    condition = rng.normal(size=(400, 1))
    reference, sample = np.hstack([np.zeros((400, 1)), condition]), np.hstack([np.zeros((400, 1)), condition])
    nearest = KNeighborsClassifier(n_neighbors=1)
    torn = evaluate.two_sample_auc(reference, sample, classifier=nearest)
    assert torn.auc < 0.3
    together = evaluate.two_sample_auc(reference, sample, classifier=nearest, paired=True)
    assert together.auc == 0.5, "both events of a pair have the same score"
    assert together.uncertainty == pytest.approx(0, abs=1e-12), "and the same weight in each bootstrap replica"


@pytest.mark.parametrize("tied", [False, True])
def test_weighted_auc_equals_scikit_learn(tied):
    rng = np.random.default_rng(16)
    reference, sample = rng.normal(size=70), rng.normal(0.5, size=40)
    if tied:
        reference, sample = reference.round(), sample.round()
    weights = rng.integers(4, size=70), rng.integers(4, size=40)
    labels, scores = np.repeat([0, 1], [70, 40]), np.concatenate([reference, sample])
    auc = two_sample._AreaUnderCurve(reference, sample)
    assert auc() == pytest.approx(roc_auc_score(labels, scores))
    assert auc(*weights) == pytest.approx(roc_auc_score(labels, scores, sample_weight=np.concatenate(weights)))


def test_every_event_is_scored_by_a_classifier_that_has_not_seen_it():
    reference, sample = shifted(60, 0.0, seed=3)
    result = evaluate.two_sample_auc(reference, sample, classifier=KNeighborsClassifier(n_neighbors=1), folds=3)
    # The nearest neighbour of a training event is itself; then all scores would equal the labels.
    assert 0.2 < result.scores_reference.mean() < 0.8 and 0.2 < result.scores_sample.mean() < 0.8
    assert result.scores_reference.shape == result.scores_sample.shape == (60,)


@pytest.mark.parametrize("paired", [False, True])
def test_max_events_and_repeatability(paired):
    reference, sample = shifted(500, 0.5, seed=4)
    options = dict(classifier=LogisticRegression(), max_events=200, bootstrap=20, paired=paired)
    result = evaluate.two_sample_auc(reference, sample, **options)
    assert len(result.scores_reference) == len(result.rows_sample) == 200
    assert len(set(result.rows_sample)) == 200 and result.rows_sample.max() < 500
    assert np.array_equal(result.rows_reference, result.rows_sample) == paired
    again = evaluate.two_sample_auc(reference, sample, **options)
    assert (result.auc, result.uncertainty) == (again.auc, again.uncertainty)
    assert result.auc != evaluate.two_sample_auc(reference, sample, seed=1, **options).auc


def test_samples_of_different_size():
    reference, sample = shifted(4000, 1.0, seed=5)
    result = evaluate.two_sample_auc(reference, sample[:500], classifier=LogisticRegression())
    assert result.auc == pytest.approx(stats.norm.cdf(1 / math.sqrt(2)), abs=4 * result.uncertainty)


# ---------------------------------------------------------------- weights and likelihoods


def test_effective_sample_size_of_known_weights():
    equal = evaluate.effective_sample_size(np.full(50, 3.0))
    assert (equal.events, equal.fraction, equal.fraction_uncertainty) == pytest.approx((50, 1, 0))
    single = evaluate.effective_sample_size(np.eye(20)[3])
    assert (single.events, single.fraction) == pytest.approx((1, 0.05))
    signs = evaluate.effective_sample_size([1, 1, 1, -1])
    assert signs.events == pytest.approx(2**2 / 4)
    weights = np.random.default_rng(17).random(100)
    huge = evaluate.effective_sample_size(weights * 1e300)
    assert huge.events == pytest.approx(weights.sum() ** 2 / np.sum(weights**2))


@pytest.mark.parametrize("sigma", [0.3, 0.7])
def test_effective_sample_size_of_lognormal_weights(sigma):
    """<w>^2 / <w^2> = exp(-sigma^2)."""
    results = [
        evaluate.effective_sample_size(np.random.default_rng(seed).lognormal(sigma=sigma, size=20_000))
        for seed in range(100)
    ]
    for result in results[:5]:
        assert result.fraction == pytest.approx(math.exp(-(sigma**2)), abs=4 * result.fraction_uncertainty)
    spread = np.std([result.fraction for result in results], ddof=1)
    assert np.mean([result.fraction_uncertainty for result in results]) == pytest.approx(spread, rel=0.3)


def test_paired_difference_cancels_what_is_common():
    rng = np.random.default_rng(18)
    common = 100 * rng.normal(size=5000)
    log_prob_a, log_prob_b = common + 0.1 * rng.normal(size=5000), common - 0.05 + 0.1 * rng.normal(size=5000)
    result = evaluate.paired_difference(log_prob_a, log_prob_b)
    # a has the higher likelihood: its NLL is lower by 0.05.
    assert result.mean == pytest.approx(-0.05, abs=4 * result.uncertainty)
    assert result.uncertainty == pytest.approx(0.1 * math.sqrt(2 / 5000), rel=0.05)
    reference = stats.ttest_rel(log_prob_b, log_prob_a)
    assert result.mean / result.uncertainty == pytest.approx(reference.statistic)


# ---------------------------------------------------------------- bad input

TRUTH, DRAWS = np.zeros((10, 2)), np.zeros((10, 5, 2))
SAMPLE = np.random.default_rng(0).normal(size=(40, 2))


def spoiled(array, value=np.nan):
    copy = np.array(array, dtype=float)
    copy[(3, *[0] * (copy.ndim - 1))] = value
    return copy


highest_density, two_sample_auc = evaluate.highest_density_coverage, evaluate.two_sample_auc

REFUSED = [
    (
        lambda: highest_density(np.zeros(3), np.zeros((4, 5))),
        r"draws: expected shape \(3, any\).*\(4, 5\)",
    ),
    (
        lambda: highest_density(spoiled(np.zeros(9)), np.zeros((9, 5))),
        r"truth: expected .* index \(3,\)",
    ),
    (lambda: highest_density(np.zeros(9), spoiled(np.zeros((9, 5)), np.inf)), r"draws: .*\(3, 0\)"),
    (lambda: highest_density(np.zeros(3), np.zeros((3, 0))), r"draws: expected shape \(3, any\)"),
    (
        lambda: highest_density(np.zeros(3), np.zeros((3, 5)), [0.5, 1.0]),
        r"levels: .*between 0 and 1",
    ),
    (lambda: highest_density(np.zeros(3), np.zeros((3, 5)), [68]), r"levels: .*got \[68.0\]"),
    (
        lambda: highest_density("abc", np.zeros((3, 5))),
        r"truth: expected an array of numbers, got str",
    ),
    (lambda: evaluate.central_coverage(TRUTH, DRAWS[..., :1]), r"draws: expected shape \(10, any, 2\).*\(10, 5, 1\)"),
    (lambda: evaluate.central_coverage(TRUTH, spoiled(DRAWS, -np.inf)), r"draws: expected finite numbers, got 1"),
    (lambda: evaluate.probability_integral_transform(TRUTH[:, 0], DRAWS), r"truth: expected shape \(any, any\)"),
    (lambda: evaluate.pit_uniformity(TRUTH + 1.5), r"pit: expected values in \[0, 1\]"),
    (lambda: evaluate.pit_uniformity(TRUTH, bins=1), r"bins: expected an integer of at least 2, got 1"),
    (lambda: two_sample_auc(SAMPLE, SAMPLE[:, :1]), r"sample: expected shape \(any, 2\)"),
    (lambda: two_sample_auc(SAMPLE, SAMPLE[:9], paired=True), r"sample: expected shape \(40, 2\).*\(9, 2\)"),
    (lambda: two_sample_auc(SAMPLE, spoiled(SAMPLE)), r"sample: expected finite numbers"),
    (lambda: two_sample_auc(SAMPLE, SAMPLE[:9]), r"sample: expected at least two events for each of 5 folds"),
    (lambda: two_sample_auc(SAMPLE, SAMPLE, folds=1), r"folds: expected an integer of at least 2"),
    (lambda: two_sample_auc(SAMPLE, SAMPLE, bootstrap=0), r"bootstrap: expected an integer of at least 2"),
    (lambda: two_sample_auc(SAMPLE, SAMPLE, max_events=0), r"max_events: expected an integer of at least 1"),
    (lambda: two_sample_auc(SAMPLE, SAMPLE, seed=None), r"seed: expected an integer of at least 0, got None"),
    (lambda: two_sample_auc(SAMPLE, SAMPLE, classifier="tree"), r'classifier: expected None, "network" or'),
    (lambda: evaluate.effective_sample_size([]), r"weights: expected shape \(any\) without empty axes"),
    (lambda: evaluate.effective_sample_size(np.zeros(4)), r"weights: expected at least one that is not zero"),
    (lambda: evaluate.effective_sample_size([1, math.inf]), r"weights: expected finite numbers"),
    (lambda: evaluate.paired_difference(np.zeros(4), np.zeros(5)), r"log_prob_b: expected shape \(4\).*\(5,\)"),
    (lambda: evaluate.paired_difference([1.0], [1.0]), r"log_prob_a: expected at least 2 events"),
    (lambda: evaluate.flow_coverage(conditional_flow(), TRUTH, TRUTH[:3]), r"context: expected 10 rows"),
    (lambda: evaluate.flow_coverage(conditional_flow(), spoiled(TRUTH), TRUTH), r"features: expected finite numbers"),
    (
        lambda: evaluate.flow_coverage(conditional_flow(), TRUTH, TRUTH, draws=0),
        r"draws: expected an integer of at least 1",
    ),
    (lambda: evaluate.conditional_draws(conditional_flow(), TRUTH, max_points=-5), r"max_points: expected an integer"),
    (lambda: evaluate.conditional_draws(conditional_flow(), spoiled(TRUTH)), r"context: expected finite numbers"),
]


@pytest.mark.parametrize("call, message", REFUSED, ids=[str(i) for i in range(len(REFUSED))])
def test_bad_input_is_refused_and_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
