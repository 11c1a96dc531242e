"""Shower generators: bad input gives its error, and the recipes are read without the compiler."""

import subprocess
import sys

import numpy as np
import pytest

from hepflows.errors import InputError
from hepflows.generators.showers import gflash
from hepflows.generators.showers.layout import LAYER_SHAPES, LAYER_SLICES


@pytest.mark.parametrize(
    ("kind", "energies", "message"),
    [
        ("pi+", [1e4], r"kind: expected e\+ or gamma, got 'pi\+'"),
        ("e+", [100.0], "energies: expected a vector of at least 500 MeV"),
        ("e+", [np.nan], "energies: expected a vector of at least 500 MeV"),
        ("gamma", [[1e4]], "energies: expected a vector of at least 500 MeV"),
    ],
)
def test_gflash_refuses(rng, kind, energies, message):
    with pytest.raises(InputError, match=message):
        gflash.showers(kind, energies, rng)


@pytest.mark.parametrize(
    ("kind", "energies", "message"),
    [
        ("pi+", [1e4], r"kind: expected one of e-, gamma, e\+, got 'pi\+'"),
        ("e+", [0.5], "energies: expected a vector of 1 to 235930 MeV"),
        ("e+", [3e5], "energies: expected a vector of 1 to 235930 MeV"),
        ("gamma", [np.inf], "energies: expected a vector"),
    ],
)
def test_monte_carlo_refuses(rng, kind, energies, message):
    pytest.importorskip("numba", reason="hepflows[simulate] is not installed")
    from hepflows.generators.showers.simulate import electromagnetic_showers

    with pytest.raises(InputError, match=message):
        electromagnetic_showers(kind, energies, rng)


def test_full_stack_is_an_error():
    pytest.importorskip("numba", reason="hepflows[simulate] is not installed")
    from hepflows.generators.showers.stack import ROWS, check_room, new_stack

    check_room(new_stack(), ROWS // 2)
    with pytest.raises(MemoryError, match="stack of particles"):
        check_room(new_stack(), ROWS - 10)


def test_cells_of_points_agree(rng):
    """The compiled look-up, NumPy's, and a histogram of the cells' edges."""
    pytest.importorskip("numba", reason="hepflows[simulate] is not installed")
    from hepflows.generators.showers.geometry import cell_index

    points = rng.uniform(-1, 1, (3, 3000)) * np.array([[300.0], [300.0], [240.0]])
    cells = gflash.cell_indices(*points)
    np.testing.assert_array_equal(cells, [cell_index(*point) for point in points.T])
    x, y, z = points
    inside = (np.abs(x) < 240) & (np.abs(y) < 240)
    for layer, (shape, where) in enumerate(zip(LAYER_SHAPES, LAYER_SLICES, strict=True)):
        here = (np.digitize(z, [-150, 197]) == layer) & inside
        expected, _, _ = np.histogram2d(x[here], y[here], bins=shape, range=[[-240, 240]] * 2)
        np.testing.assert_array_equal(np.bincount(cells, minlength=507)[where].reshape(shape), expected)


def test_sheets_follow_one_another(rng):
    pytest.importorskip("numba", reason="hepflows[simulate] is not installed")
    from hepflows.generators.showers.geometry import depth_in_period, material_at, sheet_boundary

    for z, slope in zip(rng.uniform(-239, 239, 500), rng.uniform(-1, 1, 500), strict=True):
        end = z + sheet_boundary(depth_in_period(z), slope) * slope
        depth = (end + 240) % 6
        # Just beyond a boundary, at 0 or at 2 mm, in the other material.
        assert min(abs(depth - edge) for edge in (0, 2, 6)) < 1e-5
        assert material_at(depth_in_period(end)) != material_at(depth_in_period(z))


def test_recipes_are_read_without_numba():
    code = """
import sys
sys.modules["numba"] = None
from hepflows import generators
from hepflows.errors import MissingExtraError
from hepflows.generators.showers import gflash
for name in ("showers_eplus", "showers_gamma", "showers_piplus"):
    recipe = generators.recipe(name)
    assert [column.name for column in recipe.columns] == ["energy", "layer_0", "layer_1", "layer_2"]
    try:
        recipe.check_requirements()
    except MissingExtraError as error:
        assert "needs numba" in str(error)
    else:
        raise SystemExit("expected MissingExtraError")
"""
    subprocess.run([sys.executable, "-c", code], check=True)
