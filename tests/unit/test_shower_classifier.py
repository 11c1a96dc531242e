"""The network as classifier, and the separation power of histograms."""

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from hepflows import evaluate
from hepflows.errors import InputError


def test_network_finds_the_likelihood_ratio_of_two_gaussians():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, (4000, 3)), rng.normal([1, 0, 0], 1, (4000, 3))
    result = evaluate.two_sample_auc(a, b, classifier=evaluate.DropoutNetwork(units=32, epochs=6), folds=2)
    # AUC of the best classifier: Phi(distance / sqrt 2)
    assert abs(result.auc - stats.norm.cdf(1 / np.sqrt(2))) < 0.005 + 4 * result.uncertainty


def test_network_sees_a_correlation_and_nothing_where_nothing_is():
    rng = np.random.default_rng(1)
    a = rng.normal(size=(4000, 2))
    b = rng.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], 4000)
    network = evaluate.DropoutNetwork(units=64, epochs=12)
    assert evaluate.two_sample_auc(a, b, classifier=network, folds=2).auc > 0.75
    null = evaluate.two_sample_auc(a, rng.normal(size=(4000, 2)), classifier=network, folds=2)
    assert abs(null.auc - 0.5) < 4 * null.uncertainty


def test_network_keeps_scikit_learns_contract():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, 2))
    y = np.where(x[:, 0] > 0, "right", "left")
    network = evaluate.DropoutNetwork(units=16, epochs=20, batch_size=32, random_state=3).fit(x, y)
    assert network.score(x, y) > 0.9
    assert clone(network).get_params() == network.get_params()
    np.testing.assert_allclose(network.predict_proba(x).sum(1), 1)
    assert roc_auc_score(y == "right", network.decision_function(x)) > 0.97
    again = clone(network).fit(x, y)
    np.testing.assert_array_equal(again.decision_function(x), network.decision_function(x))


def test_separation_power_at_its_ends():
    x = np.linspace(0, 1, 100)
    assert evaluate.separation_power(x, x) == 0
    assert evaluate.separation_power(x, x + 5) == pytest.approx(1)
    # h = (1/2, 1/2), g = (1/4, 3/4): 1/2 (1/16 / (3/4) + 1/16 / (5/4))
    h, g = np.repeat([0.0, 1.0], [2, 2]), np.repeat([0.0, 1.0], [1, 3])
    assert evaluate.separation_power(h, g, [-0.5, 0.5, 1.5]) == pytest.approx(1 / 24 + 1 / 40)


def test_separation_power_has_the_floor_that_it_says():
    rng = np.random.default_rng(4)
    bins, n, m, trials = 40, 2000, 4000, 40
    edges = np.linspace(0, 1, bins + 1)
    values = [evaluate.separation_power(rng.uniform(size=n), rng.uniform(size=m), edges) for _ in range(trials)]
    floor = (bins - 1) / 4 * (1 / n + 1 / m)
    assert abs(np.mean(values) - floor) < 4 * floor * np.sqrt(2 / (bins - 1) / trials)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (([[0.0]], [1.0]), "reference: expected shape"),
        (([0.0], [np.nan]), "sample: expected finite"),
        (([0.0], [1.0], [1.0, 0.0]), "edges: expected at least two increasing numbers"),
        (([0.0], [1.0], 0), "edges: expected an integer of at least 1"),
    ],
)
def test_separation_power_refuses(arguments, message):
    with pytest.raises(InputError, match=message):
        evaluate.separation_power(*arguments)
