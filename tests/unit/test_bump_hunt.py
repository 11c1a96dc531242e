"""Spectra, counts, windows and SIC curves against what is known without them."""

import math

import numpy as np
import pytest
from scipy import integrate as quadrature
from scipy import special, stats
from sklearn.linear_model import LogisticRegression

from hepflows import evaluate
from hepflows.errors import InputError

EDGES = np.linspace(2.6, 6.0, 35)
WINDOW = (EDGES[7], EDGES[11])
INSIDE = slice(7, 11)


def falling(edges, events=100_000):
    """Expected events of a power law m^-6 in each bin."""
    content = edges[:-1] ** -5 - edges[1:] ** -5
    return events * content / content.sum()


# One count


def test_excess_over_an_exact_background_is_that_of_poisson():
    found = evaluate.excess(10_300, 10_000)
    assert found.p_value == pytest.approx(stats.poisson.sf(10_299, 10_000), rel=0.05)
    assert found.z == pytest.approx(stats.norm.isf(found.p_value))


@pytest.mark.parametrize("on, off, ratio", [(1300, 4800, 4.0), (60, 20, 0.5), (330, 800, 3.0)])
def test_excess_over_a_control_region_is_that_of_the_binomial(on, off, ratio):
    """Given on + off, the number in the signal region is binomial (physics/0702156): half of P(just n) is counted."""
    found = evaluate.excess(on, off / ratio, math.sqrt(off) / ratio)
    binomial = stats.binom(on + off, 1 / (1 + ratio))
    exact = stats.norm.isf((binomial.sf(on - 1) + binomial.sf(on)) / 2)
    assert found.z == pytest.approx(exact, abs=0.05)


def test_excess_without_excess_deficit_and_nothing():
    assert evaluate.excess(25, 25, 3).z == 0
    assert evaluate.excess(10, 25, 3).z < -2
    assert evaluate.excess(0, 2).z == pytest.approx(-2)  # 2 [0 - (0 - 2)] = 4
    assert evaluate.excess(30, 25, 3).z > evaluate.excess(30, 25, 6).z
    assert evaluate.excess(30, 25, 1e-9).z == pytest.approx(evaluate.excess(30, 25).z, rel=1e-6)


def test_z_is_standard_normal_without_a_signal(rng):
    on, off = rng.poisson(200, 2000), rng.poisson(1000, 2000)
    z = [evaluate.excess(n, m / 5, math.sqrt(m) / 5).z for n, m in zip(on, off, strict=True)]
    assert abs(np.mean(z)) < 4 / math.sqrt(2000) + 0.02  # 0.02: the counts are discrete and finite
    assert abs(np.std(z) - 1) < 4 / math.sqrt(4000)


@pytest.mark.parametrize("n, total, passed, control", [(130, 1000, 500, 4200), (12, 3400, 25, 9000), (40, 60, 70, 90)])
def test_excess_among_given_events_is_that_of_a_contingency_table(n, total, passed, control):
    """Two efficiencies compared: scipy's likelihood ratio of the 2 x 2 table (G-test without a correction)."""
    efficiency = passed / control
    sigma = total * math.sqrt(efficiency * (1 - efficiency) / control)
    found = evaluate.excess(n, efficiency * total, sigma, total)
    table = [[n, total - n], [passed, control - passed]]
    exact = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
    assert found.z == pytest.approx(math.copysign(math.sqrt(exact), n / total - efficiency))


def test_excess_among_given_events_agrees_with_poisson_for_rare_ones():
    for sigma in (0, 3):
        assert evaluate.excess(30, 20, sigma, 1e7).z == pytest.approx(evaluate.excess(30, 20, sigma).z, rel=1e-4)
    assert evaluate.excess(60, 50, 0, 100).z == pytest.approx(2.0, abs=0.05)  # sigma of the binomial: 5


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((30, 20, 1, 20), "total"),
        ((30, 20, 1, 25), "total"),
        ((-1, 3, 1), "observed"),
        ((3, 0, 1), "background"),
        ((3, 2, -1), "uncertainty"),
        ((3, math.nan, 1), "background"),
    ],
)
def test_excess_names_bad_input(arguments, words):
    with pytest.raises(InputError, match=words):
        evaluate.excess(*arguments)


def test_global_p_values():
    p, error = evaluate.global_p_value(2.0, np.arange(100) / 25)  # 0 to 3.96: 50 are at least 2
    assert p == pytest.approx(51 / 101) and error == pytest.approx(0.05, rel=0.02)
    assert evaluate.global_p_value(9.0, np.zeros(99))[0] == pytest.approx(0.01)
    assert evaluate.independent_windows_p_value(0.01, 10) == pytest.approx(1 - 0.99**10)
    assert evaluate.independent_windows_p_value(1e-20, 7) == pytest.approx(7e-20)


# The spectrum


def test_fit_finds_the_coefficients_and_their_errors(rng):
    """Pulls of the window's prediction over 300 toys: the fit is unbiased and its error is right."""
    expected = falling(EDGES)
    pulls = []
    for _ in range(300):
        fit = evaluate.fit_spectrum(rng.poisson(expected), EDGES, WINDOW, degree=2)
        pulls.append((fit.events - expected[INSIDE].sum()) / fit.uncertainty)
    assert abs(np.mean(pulls)) < 4 / math.sqrt(300)
    assert abs(np.std(pulls) - 1) < 4 / math.sqrt(600)


def test_fit_does_not_look_into_the_window(rng):
    counts = rng.poisson(falling(EDGES))
    bump = counts.copy()
    bump[INSIDE] += 5000
    first, second = (evaluate.fit_spectrum(n, EDGES, WINDOW, degree=3) for n in (counts, bump))
    assert first.events == second.events
    counts[0] += 1000
    assert evaluate.fit_spectrum(counts, EDGES, WINDOW, degree=3).events != first.events


def test_goodness_of_fit(rng):
    p = [evaluate.fit_spectrum(rng.poisson(falling(EDGES)), EDGES, WINDOW, 2).p_value for _ in range(200)]
    assert stats.kstest(p, "uniform").pvalue > 1e-4
    wavy = falling(EDGES) * (1 + 0.1 * np.sin(np.arange(34)))
    assert evaluate.fit_spectrum(wavy, EDGES, WINDOW, 2).p_value < 1e-6


def test_masses_are_drawn_from_the_fitted_curve(rng):
    fit = evaluate.fit_spectrum(falling(EDGES), EDGES, WINDOW, degree=3)
    mass = fit.sample(20_000, rng)
    total, _ = quadrature.quad(lambda m: m**-6, *WINDOW)
    cumulative = np.vectorize(lambda m: (WINDOW[0] ** -5 - m**-5) / 5 / total)
    assert stats.kstest(mass, cumulative).pvalue > 1e-4
    assert mass.min() >= WINDOW[0] and mass.max() <= WINDOW[1]


@pytest.mark.parametrize(
    "change, words",
    [
        (dict(window=(2.65, 3.3)), "window: expected"),
        (dict(window=(EDGES[5], EDGES[5])), "window: expected"),
        (dict(counts=np.ones(3)), "counts: expected shape"),
        (dict(counts=-np.ones(34)), "counts: expected numbers of at least 0"),
        (dict(counts=np.zeros(34)), "counts: expected more than 4 bins"),
        (dict(edges=EDGES[::-1]), "edges: expected"),
        (dict(degree=-1), "degree: expected"),
    ],
)
def test_fit_names_bad_input(change, words):
    arguments = dict(counts=falling(EDGES), edges=EDGES, window=WINDOW, degree=4) | change
    with pytest.raises(InputError, match=words):
        evaluate.fit_spectrum(**arguments)


# The efficiency of a cut, beside the window and in it

TOTAL = np.round(falling(EDGES, 25_000))


def sloped(edges, epsilon, slope=0.4):
    """logit epsilon_i = constant + slope u."""
    u = np.log(np.sqrt(edges[1:] * edges[:-1]))
    u = 2 * (u - np.log(edges[0])) / np.log(edges[-1] / edges[0]) - 1
    return special.expit(special.logit(epsilon) + slope * u)


def test_efficiency_is_that_of_a_logistic_regression(rng):
    """scikit-learn's, without a penalty, on one row for the passing and one for the failing events of each bin."""
    passed = rng.binomial(TOTAL.astype(int), sloped(EDGES, 0.1))
    fit = evaluate.fit_efficiency(passed, TOTAL, EDGES, WINDOW, degree=1)
    outside = np.ones(len(passed), bool)
    outside[INSIDE] = False
    mass = np.log(np.sqrt(EDGES[1:] * EDGES[:-1]))[:, None]
    weight = np.concatenate([passed[outside], (TOTAL - passed)[outside]])
    label = np.repeat([1, 0], outside.sum())
    regression = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    regression.fit(np.tile(mass[outside], (2, 1)), label, sample_weight=weight)
    np.testing.assert_allclose(fit.efficiency, regression.predict_proba(mass)[:, 1], rtol=1e-4)
    assert fit.events == pytest.approx(np.sum(TOTAL[INSIDE] * fit.efficiency[INSIDE]))


def test_constant_efficiency_is_the_ratio_of_the_sums(rng):
    passed = rng.binomial(TOTAL.astype(int), 0.02)
    fit = evaluate.fit_efficiency(passed, TOTAL, EDGES, WINDOW, degree=0)
    k, n = (values.sum() - values[INSIDE].sum() for values in (passed, TOTAL))
    assert fit.total == TOTAL[INSIDE].sum()
    assert fit.events == pytest.approx(k / n * fit.total)
    assert fit.uncertainty == pytest.approx(fit.total * math.sqrt(k / n * (1 - k / n) / n))


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("epsilon", [0.3, 0.1, 0.01, 0.002])
def test_z_of_an_interpolated_efficiency_is_standard_normal(rng, epsilon, degree):
    """From hundreds of expected events behind the cut to seven: neither too wide nor too narrow, and not shifted."""
    z, expected = [], sloped(EDGES, epsilon)
    for _ in range(600):
        total = rng.poisson(TOTAL)
        passed = rng.binomial(total, expected)
        fit = evaluate.fit_efficiency(passed, total, EDGES, WINDOW, degree)
        z.append(evaluate.excess(passed[INSIDE].sum(), fit.events, fit.uncertainty, fit.total).z)
    assert abs(np.mean(z)) < 4 / math.sqrt(600) + 0.05  # 0.05: few counts, skew
    assert abs(np.std(z) - 1) < 4 / math.sqrt(1200) + 0.03
    if epsilon >= 0.1:  # many counts, so that the p-values are all but continuous
        assert stats.kstest(stats.norm.sf(z), "uniform").pvalue > 1e-4


def test_efficiency_of_few_events(rng):
    """Three bins of events carry a parabola, at finite coefficients; two do not."""
    passed = np.zeros(34)
    passed[[3, 13, 14]] = 1
    fit = evaluate.fit_efficiency(passed, TOTAL, EDGES, WINDOW, degree=2)
    assert np.all(np.isfinite(fit.coefficients)) and 0 < fit.events < 5 and fit.uncertainty > 0
    outside = np.ones(34, bool)
    outside[INSIDE] = False
    assert np.sum(fit.expected[outside]) == pytest.approx(3)  # a constant belongs to the polynomial
    passed[13] = 0
    with pytest.raises(InputError, match="counts: expected more than 2 bins"):
        evaluate.fit_efficiency(passed, TOTAL, EDGES, WINDOW, degree=2)


def test_efficiency_goodness_of_fit(rng):
    def p(efficiency):
        passed = rng.binomial(TOTAL.astype(int), efficiency)
        return evaluate.fit_efficiency(passed, TOTAL, EDGES, WINDOW, degree=1).p_value

    assert stats.kstest([p(sloped(EDGES, 0.3)) for _ in range(200)], "uniform").pvalue > 1e-4
    assert p(0.3 + 0.1 * np.sin(np.arange(34))) < 1e-6


@pytest.mark.parametrize(
    "change, words",
    [
        (dict(passed=TOTAL + 1), "passed: expected numbers between 0"),
        (dict(passed=TOTAL), "passed: expected a cut that some"),
        (dict(passed=np.zeros(34)), "counts: expected more than 1 bins"),
        (dict(total=np.ones(3)), "total: expected shape"),
        (dict(window=(2.65, 3.3)), "window: expected"),
        (dict(degree=-1), "degree: expected"),
    ],
)
def test_efficiency_names_bad_input(change, words):
    arguments = dict(passed=np.ones(34), total=TOTAL, edges=EDGES, window=WINDOW) | change
    with pytest.raises(InputError, match=words):
        evaluate.fit_efficiency(**arguments)


# The sliding window


def test_scan_finds_the_bump_where_it_is(rng):
    counts = rng.poisson(falling(EDGES))
    counts[14:18] += 600
    scan = evaluate.scan_windows(counts, EDGES, bins=4, degree=2)
    assert len(scan.windows) == len(scan.z) == 34 - 4 - 4 + 1
    assert scan.windows[scan.largest] == pytest.approx((EDGES[14], EDGES[18]))
    assert scan.z.max() > 5


def test_look_elsewhere_lies_between_one_window_and_independent_ones(rng):
    expected = falling(EDGES)
    largest = evaluate.largest_excess_in_toys(expected, EDGES, bins=4, toys=150, degree=2, rng=rng)
    local = stats.norm.isf(0.02)
    p, error = evaluate.global_p_value(local, largest)
    windows = len(evaluate.scan_windows(expected, EDGES, bins=4, degree=2).windows)
    assert 0.02 + 4 * error < p < evaluate.independent_windows_p_value(0.02, windows) + 4 * error


def test_scan_names_bad_input():
    with pytest.raises(InputError, match="bins: expected a window of 40 bins"):
        evaluate.scan_windows(falling(EDGES), EDGES, bins=40)
    with pytest.raises(InputError, match="expected: expected numbers of at least 0"):
        evaluate.largest_excess_in_toys(-falling(EDGES), EDGES, bins=4, toys=2)


# SIC


def test_sic_of_gaussians_is_the_analytic_one(rng):
    """Scores N(2, 1) and N(0, 1): TPR = Phi(2 - Phi^-1(1 - FPR))."""
    fpr = np.array([0.3, 0.1, 0.01])
    sic = evaluate.significance_improvement(rng.normal(2, 1, 20_000), rng.normal(size=50_000), fpr)
    exact = stats.norm.sf(stats.norm.isf(fpr) - 2) / np.sqrt(fpr)
    assert np.all(np.abs(sic.improvement - exact) < 4 * sic.uncertainty)
    np.testing.assert_allclose(sic.background_events, 50_000 * fpr)


def test_sic_error_is_the_spread_over_repetitions(rng):
    """The formula leaves out how TPR moves with the threshold: it is right to a factor of two."""
    repeated = [
        evaluate.significance_improvement(rng.normal(2, 1, 2000), rng.normal(size=5000), [0.01]) for _ in range(200)
    ]
    spread = np.std([sic.improvement[0] for sic in repeated])
    assert 0.5 < repeated[0].uncertainty[0] / spread < 2


def test_sic_of_equal_scores_is_that_of_a_lot():
    sic = evaluate.significance_improvement(np.ones(10), np.ones(1000), [0.25])
    assert sic.signal_efficiency[0] == pytest.approx(0.25) and sic.improvement[0] == pytest.approx(0.5)


def test_band_over_repetitions(rng):
    band = evaluate.median_band(rng.normal(size=(4000, 3)) + np.arange(3))
    np.testing.assert_allclose(band.median, np.arange(3), atol=0.1)
    np.testing.assert_allclose(band.high - band.low, 2, atol=0.15)  # 16-84 % of a unit normal: 2 x 0.994
    with pytest.raises(InputError, match="curves: expected at least one"):
        evaluate.median_band([])
