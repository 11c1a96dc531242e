"""The table of parton densities that ships: made again, interpolated, with the sum rules of a proton."""

import numpy as np
import pytest
from scipy.integrate import simpson
from scipy.interpolate import RectBivariateSpline

from hepflows import datasets
from hepflows.datasets.table import Table, read_table
from hepflows.errors import DataError, InputError
from hepflows.physics.parton_densities import PARTONS, PartonDensities, spacing_in_x

Z_MASS, TOP_MASS = 91.1876, 172.0  # GeV


@pytest.fixture(scope="module")
def table():
    return datasets.load("pdf_grid", "all")


@pytest.fixture(scope="module")
def densities():
    return PartonDensities()


def integral_over_x(values, x):
    """Integral of values(x) dx over logarithmically spaced x."""
    return simpson(values * x[:, None], x=np.log(x), axis=0)


@pytest.mark.simulate
def test_table_is_generated_again(tmp_path, table):
    from hepflows.generators import generate

    fields = datasets.card("pdf_grid").fields
    out = generate("pdf_grid", events=fields["events"], workers=1, seed=7, out=tmp_path / "a.h5", progress=False)
    again = read_table(out)
    assert len(again) == len(table)
    for column in table.columns:
        np.testing.assert_array_equal(again[column], table[column])


@pytest.mark.simulate
@pytest.mark.parametrize("events", [100, 3749, 3751])
def test_another_number_of_rows_is_refused(tmp_path, events):
    from hepflows.generators import generate

    with pytest.raises(InputError, match="events: expected 3,750"):
        generate("pdf_grid", events=events, workers=1, seed=1, out=tmp_path / "a.h5", progress=False)
    assert list(tmp_path.iterdir()) == []


def test_columns_are_those_of_the_recipe():
    from hepflows.generators.pdf_grid import COLUMNS

    card = datasets.card("pdf_grid").columns
    assert {column.name: (column.unit, column.description) for column in COLUMNS} == {
        name: (about["unit"], about["description"]) for name, about in card.items()
    }


@pytest.mark.simulate
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_interpolation_is_that_of_the_original(densities, seed):
    from hepflows.generators.pdf_grid import parton_densities

    rng = np.random.default_rng(seed)
    x = np.concatenate([np.exp(rng.uniform(np.log(1e-6), 0, 1000)), rng.uniform(0, 1, 1000)])
    q = np.exp(rng.uniform(np.log(10), np.log(1e4), 2000))
    original = parton_densities()
    expected = np.array([[original(parton, a, b**2) for parton in PARTONS] for a, b in zip(x, q, strict=True)])
    error = np.abs(densities.xf(x, q) - expected) / np.maximum(np.abs(expected), 1e-3)
    assert error.max() < 1e-3
    assert np.quantile(error, 0.99) < 2e-4


@pytest.mark.parametrize("q", [10.0, 30.0, Z_MASS, TOP_MASS])
def test_momentum_adds_up(densities, q):
    x = np.geomspace(1e-6, 1, 4001)
    assert integral_over_x(densities.xf(x, q), x).sum() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("q", [1000.0, 1e4])
def test_momentum_that_is_missing_is_that_of_top_quarks_and_photons(densities, q):
    # Above the top's threshold, gluons split to top pairs, which the table does not have: leading-order evolution,
    # d<x>_t / d ln Q^2 = alpha_s / (2 pi) <x>_g / 3, as 2 int z (z^2 + (1 - z)^2) / 2 dz = 1/3.
    x, log_q2 = np.geomspace(1e-6, 1, 4001), np.linspace(np.log(TOP_MASS**2), np.log(q**2), 41)
    momentum = integral_over_x(densities.xf(x[:, None], np.exp(log_q2 / 2)).reshape(len(x), -1), x).reshape(41, 11)
    gluons, total = momentum[:, 5], momentum.sum(axis=1)
    alpha_s = 0.130 / (1 + 0.130 * 23 / (12 * np.pi) * (log_q2 - np.log(Z_MASS**2)))
    top = simpson(alpha_s / (2 * np.pi) * gluons / 3, x=log_q2)
    photon = 0.0003 * (log_q2[-1] - log_q2[0])  # its momentum grows by 0.0014 for each factor of 10 in Q
    assert total[0] - total[-1] == pytest.approx(top + photon, abs=0.0015)


@pytest.mark.parametrize("q", [10.0, Z_MASS, 1e4])
def test_valence_quarks_add_up(densities, q):
    x = np.geomspace(1e-6, 1, 4001)
    number = dict(zip(PARTONS, integral_over_x(densities.xf(x, q) / x[:, None], x), strict=True))
    for parton, expected in ((2, 2), (1, 1), (3, 0)):
        assert number[parton] - number[-parton] == pytest.approx(expected, abs=0.03)


def test_gluons_and_sea_grow_with_the_scale_at_small_x(densities):
    small = densities.xf(1e-4, np.geomspace(10, 1e4, 20))
    assert np.all(np.diff(small, axis=0) > 0)
    large = densities.xf(0.4, np.geomspace(10, 1e4, 20), parton=2)
    assert np.all(np.diff(large) < 0)


def test_interpolation_equals_another_spline(table, densities):
    rng = np.random.default_rng(4)
    x, q = np.exp(rng.uniform(np.log(1e-6), 0, 500)), np.exp(rng.uniform(np.log(10), np.log(1e4), 500))
    shape = len(densities.x_nodes), len(densities.q_nodes)
    for parton, name in PARTONS.items():
        other = RectBivariateSpline(
            spacing_in_x(densities.x_nodes), np.log(densities.q_nodes), table[name].astype(np.float64).reshape(shape)
        )
        expected = other(spacing_in_x(x), np.log(q), grid=False)
        np.testing.assert_allclose(densities.xf(x, q, parton), expected, rtol=1e-7, atol=1e-12)


def test_nodes_come_back_and_shapes_follow_broadcasting(table, densities):
    found = densities.xf(densities.x_nodes[:, None], densities.q_nodes)
    assert found.shape == (150, 25, 11)
    for i, name in enumerate(PARTONS.values()):
        np.testing.assert_allclose(found[..., i].ravel(), table[name], rtol=1e-9, atol=1e-12)
    assert densities.xf(0.1, Z_MASS).shape == (11,)
    edges = np.float32([1e-6, 1]), np.float32([10, 1e4])
    np.testing.assert_allclose(densities.xf(*edges), densities.xf([1e-6, 1], [10, 1e4]), rtol=1e-6)
    assert densities.xf(0.1, Z_MASS, parton=21).shape == ()
    np.testing.assert_array_equal(densities.xf(0.1, [20.0, 30.0], 21), densities.xf([0.1, 0.1], [20.0, 30.0])[:, 5])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1e-7, 100.0), r"x: expected values from 1e-06 to 1, got 1e-07"),
        ((1.01, 100.0), r"x: .* got 1.01"),
        (([0.1, np.nan], 100.0), r"x: .* got nan"),
        ((0.1, 9.0), r"q: expected values from 10 to 10000 GeV, got 9"),
        ((0.1, 20000.0), r"q: .* got 20000"),
        ((0.1, 100.0, 6), r"parton: expected one of .*21.* got 6"),
        (([0.1, 0.2], [20.0, 30.0, 40.0]), r"x, q: expected shapes that broadcast, got \(2,\) and \(3,\)"),
    ],
)
def test_bad_input_is_named(densities, arguments, message):
    with pytest.raises(InputError, match=message):
        densities.xf(*arguments)


def test_a_table_that_is_no_grid_is_refused(table):
    def rows(chosen, columns=table.columns):
        return Table({name: table[name][chosen] for name in columns}, dict.fromkeys(columns, ""), "some")

    for chosen in (slice(0, 3000 + 7), slice(0, 3), slice(None, None, -1)):
        with pytest.raises(DataError, match="some: expected the nodes of a whole grid"):
            PartonDensities(rows(chosen))
    with pytest.raises(DataError, match="some: expected the columns g"):
        PartonDensities(rows(slice(None), [name for name in table.columns if name != "g"]))
