"""Showers on their way into a flow and back: geometry, energy conservation, u-space, checks of the input."""

import warnings

import numpy as np
import pytest

from hepflows import datasets
from hepflows.errors import InputError
from hepflows.generators.showers import layout
from hepflows.physics import shower_observables as observables
from hepflows.physics import showers


def test_full_geometry_is_that_of_the_simulation():
    assert showers.FULL.shapes == layout.LAYER_SHAPES
    assert showers.FULL.voxels == layout.CELLS
    for layer in range(showers.LAYERS):
        for edges in (showers.FULL.x_edges[layer], showers.FULL.y_edges[layer]):
            assert edges[0] == -layout.HALF_READOUT and edges[-1] == layout.HALF_READOUT
            np.testing.assert_allclose(np.diff(edges), np.diff(edges)[0])


def test_merging_adds_up_what_lies_in_a_voxel(random_showers):
    voxels = random_showers(showers.FULL, 20)
    merged = showers.merge(voxels)
    assert merged.shape == (20, 64) == (20, showers.MERGED.voxels)
    for layer, (fine, coarse) in enumerate(
        zip(showers.FULL.layers(voxels), showers.MERGED.layers(merged), strict=True)
    ):
        x, y = showers.FULL.centres(layer)
        positions = np.stack(np.meshgrid(x, y, indexing="ij"), -1).reshape(-1, 2)
        edges = showers.MERGED.x_edges[layer], showers.MERGED.y_edges[layer]
        for shower in range(3):
            expected, _, _ = np.histogram2d(*positions.T, bins=edges, weights=fine[shower].ravel())
            np.testing.assert_allclose(coarse[shower], expected, rtol=1e-12)


def test_merging_refuses_edges_that_cut_through_voxels():
    wrong = showers.Geometry(((-240.0, 0.0, 240.0), *showers.MERGED.x_edges[1:]), showers.MERGED.y_edges)
    with pytest.raises(InputError, match="layer 0"):
        showers.merge(np.zeros((1, 504)), wrong)


@pytest.mark.parametrize("geometry", [showers.FULL, showers.MERGED])
def test_reflections_turn_the_centroids_round(geometry, random_showers):
    voxels = random_showers(geometry, 30)
    images = np.split(showers.reflections(voxels, geometry), 4)
    np.testing.assert_array_equal(images[0], voxels)
    for layer in range(showers.LAYERS):
        found = [observables.layer_observables(image, geometry, layer) for image in images]
        for image, (x, y) in zip(found, ((1, 1), (1, -1), (-1, 1), (-1, -1)), strict=True):
            np.testing.assert_allclose(image["centroid_x"], x * found[0]["centroid_x"], atol=1e-9)
            np.testing.assert_allclose(image["centroid_y"], y * found[0]["centroid_y"], atol=1e-9)
            np.testing.assert_allclose(image["width_y"], found[0]["width_y"], atol=1e-6)


def test_u_space_and_back():
    rng = np.random.default_rng(1)
    energy = rng.uniform(1, 100, 500)
    energies = energy[:, None] * rng.dirichlet([5, 10, 1, 1], 500)[:, :3]
    u = showers.to_u(energies, energy)
    assert np.all((u > 0) & (u < 1))
    np.testing.assert_allclose(showers.from_u(u, energy), energies, rtol=1e-9)
    np.testing.assert_allclose(u[:, 1], energies[:, 0] / energies.sum(1))


def test_any_point_of_u_space_conserves_energy():
    rng = np.random.default_rng(2)
    energy = rng.uniform(1, 100, 500)
    energies = showers.from_u(rng.integers(0, 2, (500, 3)).astype(float), energy)
    assert np.all(energies >= 0)
    assert np.all(energies.sum(1) <= energy + showers.REST_ENERGY)


def test_logit_and_back():
    fractions = np.concatenate([[0, 1e-12, 0.5, 1 - 1e-9, 1], np.random.default_rng(3).uniform(size=100)])
    assert np.all(np.isfinite(showers.logit(fractions)))
    np.testing.assert_allclose(showers.inverse_logit(showers.logit(fractions)), fractions, atol=1e-14)


def one_shower(**changes):
    voxels = np.full((2, 64), 0.1)
    voxels[1, 5] = changes.get("deposit", 0.1)
    return voxels[:, : changes.get("voxels", 64)] * changes.get("unit", 1), np.array(
        [20.0, changes.get("energy", 20.0)]
    )


def test_a_good_shower_passes():
    voxels, energy = showers.check_showers(*one_shower(), showers.MERGED)
    assert voxels.shape == (2, 64) and energy.shape == (2,)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"voxels": 63}, r"voxels: expected shape \(2, 64\), got \(2, 63\)"),
        ({"deposit": -0.01}, "voxels: expected energies of at least 0 GeV, got -0.01 in shower 1, voxel 5"),
        ({"deposit": np.nan}, "voxels: expected finite numbers"),
        ({"unit": 1000}, "got 6400 GeV; are voxels and energies both in GeV"),
        ({"energy": -3.0}, "energy: expected positive energies in GeV, got -3"),
    ],
)
def test_bad_showers_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        showers.check_showers(*one_shower(**changes), showers.MERGED)


def test_showers_in_tev_are_pointed_out():
    with pytest.warns(showers.ResponseWarning, match=r"got 0.00032 in the median; .* both in GeV"):
        showers.check_showers(*one_shower(unit=1e-3), showers.MERGED)


def test_showers_all_in_mev_are_pointed_out():
    voxels, energy = one_shower()
    with pytest.warns(showers.EnergyRangeWarning, match="got 20000 GeV"):
        showers.check_showers(1000 * voxels, 1000 * energy, showers.MERGED)


def test_no_shower_that_ships_is_pointed_out():
    for name in ("eplus", "gamma", "piplus"):
        table = datasets.load(f"showers_{name}", "test")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            showers.check_showers(
                showers.merge(table.array("layer_0", "layer_1", "layer_2")), table["energy"], showers.MERGED
            )


@pytest.mark.parametrize("energy", [0.5, 35_000.0])
def test_energies_out_of_range_warn(energy):
    with pytest.warns(showers.EnergyRangeWarning, match=f"got {energy:g} GeV"):
        showers.check_energy([10.0, energy])


def test_observables_of_a_shower_known_by_heart():
    voxels = np.zeros((1, 64))
    voxels[0, 5], voxels[0, 6] = 3.0, 1.0  # layer 0: 5 mm on both sides of the beam
    voxels[0, 12 + 14] = 4.0  # layer 1: third row in x (-40 .. 0), third column in y
    found = observables.all_observables(voxels, np.array([16.0]), showers.MERGED)
    expected = {
        **{"E_0": 4, "E_1": 4, "E_2": 0, "E_total": 8, "response": 0.5, "fraction_0": 0.5, "depth": 0.5},
        **{"depth_width": 0.5, "sparsity_0": 2 / 12, "brightest_0": 0.75, "contrast_0": 0.5, "centroid_y_0": -1.25},
        **{"width_y_0": np.sqrt(6.25 - 1.25**2), "centroid_x_1": -20, "centroid_y_1": -20, "width_x_1": 0},
        **{"brightest_1": 1, "sparsity_2": 0, "brightest_2": 0},
    }
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-6, err_msg=name)


def test_nearest_neighbours_against_scipy():
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(6)
    a, b = rng.normal(size=(40, 7)), rng.normal(size=(300, 7))
    index, distance = observables.nearest_neighbours(a, b)
    expected_distance, expected_index = cKDTree(b).query(a)
    np.testing.assert_array_equal(index, expected_index)
    np.testing.assert_allclose(distance, expected_distance)
