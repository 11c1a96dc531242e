"""Voxels on their way into a flow and back: exact, and energy is conserved whatever a flow makes of them."""

import numpy as np
import pytest
from scipy import stats

from hepflows import datasets
from hepflows.errors import InputError
from hepflows.physics import shower_features, showers

WAYS = {
    "fill": (shower_features.to_features, shower_features.to_voxels),
    "noise": (shower_features.to_share_logits, shower_features.from_share_logits),
}


@pytest.mark.parametrize("geometry", [showers.FULL, showers.MERGED])
@pytest.mark.parametrize("scale", [shower_features.SCALE, 0.0])
def test_features_and_back(geometry, scale, random_showers):
    voxels = random_showers(geometry)
    voxels[3, 7] = showers.THRESHOLD  # no hit is smaller
    rng = np.random.default_rng(4)
    energies = showers.fill_empty(showers.layer_energies(voxels, geometry), rng)
    features = shower_features.to_features(voxels, rng, geometry, scale=scale)
    back = shower_features.to_voxels(features, energies, geometry)
    np.testing.assert_array_equal(features >= 0, voxels > 0)
    np.testing.assert_allclose(back, voxels, rtol=1e-12)


@pytest.mark.parametrize("particle", ["eplus", "gamma", "piplus"])
def test_showers_that_ship_and_back_in_single_precision(particle):
    table = datasets.load(f"showers_{particle}", "test")
    voxels = showers.above_threshold(table.array("layer_0", "layer_1", "layer_2")[:2000])
    rng = np.random.default_rng(5)
    energies = showers.fill_empty(showers.layer_energies(voxels, showers.FULL), rng)
    features = shower_features.to_features(voxels, rng, showers.FULL).astype(np.float32)
    back = shower_features.to_voxels(features, energies, showers.FULL)
    lost = (back > 0) != (voxels > 0)  # hits at the threshold, by rounding
    assert lost.mean() < 1e-5 and np.all(voxels[lost] < 1.0001 * showers.THRESHOLD)
    np.testing.assert_allclose(back[~lost], voxels[~lost], rtol=1e-4)


@pytest.mark.parametrize("geometry", [showers.FULL, showers.MERGED])
def test_share_logits_and_back(geometry, random_showers):
    voxels = random_showers(geometry)
    rng = np.random.default_rng(4)
    energies = showers.fill_empty(showers.layer_energies(voxels, geometry), rng)
    features = shower_features.to_share_logits(voxels, rng, geometry)
    back = shower_features.from_share_logits(features, energies, geometry)
    # noise may carry the others over the threshold
    certain = (voxels == 0) | (voxels > showers.THRESHOLD + shower_features.NOISE)
    np.testing.assert_array_equal((back > 0)[certain], (voxels > 0)[certain])
    # the noise is at most 1 keV a voxel, and a voxel can be lost at the threshold
    assert np.abs(back - voxels).max() <= shower_features.NOISE * geometry.voxels + showers.THRESHOLD


def test_empty_voxels_are_filled_below_the_threshold():
    features = shower_features.to_features(np.zeros((500, 64)), np.random.default_rng(7), showers.MERGED)
    filled = -features.ravel() / showers.DEPTH
    assert stats.kstest(filled, stats.gamma(2).cdf).pvalue > 1e-5
    assert np.abs(np.corrcoef(features.T) - np.eye(64)).max() < 5.5 / np.sqrt(500)


def test_empty_layers_are_filled_below_the_threshold():
    energies = np.tile([1.0, 0.5, 0.0], (4000, 1))
    filled = showers.fill_empty(energies, np.random.default_rng(8))
    np.testing.assert_array_equal(filled[:, :2], energies[:, :2])
    below = -np.log(filled[:, 2] / showers.THRESHOLD) / showers.DEPTH
    assert stats.kstest(below, stats.gamma(2).cdf).pvalue > 1e-5


def test_each_layer_of_each_shower_has_its_own_factor(random_showers):
    voxels = random_showers(showers.MERGED, number=4000)
    voxels[:, [0, 12, 48]] += showers.THRESHOLD  # no layer is empty
    features = shower_features.to_features(voxels, np.random.default_rng(6), showers.MERGED)
    relative = np.where(features > 0, showers.THRESHOLD * np.exp(features), 0.0)
    of_layers = showers.layer_energies(voxels, showers.MERGED)
    logits = shower_features.to_share_logits(voxels, np.random.default_rng(6), showers.MERGED)
    for factors in (
        of_layers / showers.layer_energies(relative, showers.MERGED),
        showers.layer_energies(showers.inverse_logit(logits), showers.MERGED),
    ):
        assert factors.min() >= 1 - shower_features.SCALE - 1e-9 and factors.max() <= 1 + 1e-9
        # a Beta(3, 3) has the mean 1/2 and the variance 1/28; five standard errors
        error = shower_features.SCALE / np.sqrt(28 * 4000)
        np.testing.assert_allclose(factors.mean(0), 1 - shower_features.SCALE / 2, atol=5 * error)
        np.testing.assert_allclose(factors.std(0), shower_features.SCALE / np.sqrt(28), atol=5 * error)
        assert np.abs(np.corrcoef(factors.T) - np.eye(3)).max() < 5 / np.sqrt(4000)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("geometry", [showers.FULL, showers.MERGED])
def test_layer_energies_are_exact_whatever_the_features(geometry, way):
    rng = np.random.default_rng(5)
    extremes = [np.full((2, geometry.voxels), value) for value in (-1e3, 1e3)]
    features = np.concatenate([rng.normal(-8 * (way == "noise"), 6, (300, geometry.voxels)), *extremes])
    energies = 10 ** rng.uniform(-4.9, 2, (304, 3))
    energies[0] = [1.0, 2.0, 0.9 * showers.THRESHOLD]
    voxels = WAYS[way][1](features, energies, geometry)
    found = showers.layer_energies(voxels, geometry)
    assert found[0, 2] == 0
    np.testing.assert_allclose(found[1:], energies[1:], rtol=1e-12)
    if way == "fill":  # nothing between 0 and the threshold, as in the data
        assert np.all((voxels == 0) | (voxels >= (1 - 1e-8) * showers.THRESHOLD))


def test_as_many_hits_as_stay_above_the_threshold():
    features = np.full((1, 64), -1.0)
    features[0, :3] = np.log([9.0, 4.0, 1.0])  # of layer 0, and the third would have 1/14
    for energy, hits in ((15.0, 3), (13.9, 2), (3.26, 2), (3.24, 1), (1.1, 1), (0.9, 0)):
        voxels = shower_features.to_voxels(features, showers.THRESHOLD * np.array([[energy, 0, 0]]), showers.MERGED)
        expected = showers.THRESHOLD * energy * np.array([[9.0, 4.0, 1.0]]) / np.sum([9.0, 4.0, 1.0][: max(hits, 1)])
        np.testing.assert_allclose(voxels[:, :3], np.where(np.arange(3) < hits, expected, 0.0), rtol=1e-12)
        assert np.all(voxels[:, 3:] == 0)


@pytest.mark.parametrize(
    "features, energies, message",
    [
        (np.zeros((3, 64)), np.ones((2, 3)), r"features: expected shape \(2, 64\)"),
        (np.full((2, 64), np.nan), np.ones((2, 3)), "features: expected finite"),
        (np.zeros((2, 64)), -np.ones((2, 3)), "energies: expected layer energies of at least 0"),
        ("many", np.ones((2, 3)), "features: expected an array of numbers, got str"),
    ],
)
@pytest.mark.parametrize("way", WAYS)
def test_bad_features_are_refused(way, features, energies, message):
    with pytest.raises(InputError, match=message):
        WAYS[way][1](features, energies, showers.MERGED)
