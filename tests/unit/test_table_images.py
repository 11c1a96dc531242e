"""Columns of images and columns stored by levels: what is stored comes back, and nothing else is taken."""

import h5py
import numpy as np
import pytest

from hepflows.datasets.table import Column, read_table, write_table
from hepflows.errors import InputError

LEVELS = np.concatenate([[0.0], np.geomspace(1e-3, 10, 1000)])
COLUMNS = (
    Column("energy", "GeV", "an energy"),
    Column("cells", "GeV", "cells", shape=(2, 5), levels=LEVELS),
    Column("plain", "1", "an image without levels", shape=(3,), mantissa_bits=10),
)
# Neighbours are 0.9 % apart, the nearest is at most half of that away.
HALF_STEP = ((10 / 1e-3) ** (1 / 999) - 1) / 2


@pytest.fixture
def arrays(rng):
    cells = rng.uniform(2e-3, 10, (700, 2, 5)) * (rng.random((700, 2, 5)) < 0.4)
    return {"energy": rng.random(700), "cells": cells, "plain": rng.random((700, 3))}


def test_images_come_back_within_half_a_step_and_zeros_exactly(tmp_path, arrays):
    write_table(tmp_path / "a.h5", arrays, COLUMNS, {"seed": 1})
    table = read_table(tmp_path / "a.h5")
    cells = table["cells"]
    assert (cells.shape, cells.dtype) == ((700, 2, 5), np.float32)
    np.testing.assert_array_equal(cells == 0, arrays["cells"] == 0)
    hit = cells > 0
    assert np.abs(cells[hit] / arrays["cells"][hit] - 1).max() <= HALF_STEP * 1.001
    np.testing.assert_array_equal(read_table(tmp_path / "a.h5", ["cells"], 600, 650)["cells"], cells[600:650])


def test_images_are_unrolled_side_by_side(tmp_path, arrays):
    write_table(tmp_path / "a.h5", arrays, COLUMNS, {})
    table = read_table(tmp_path / "a.h5")
    matrix = table.array("energy", "cells", "plain")
    assert (matrix.shape, matrix.dtype) == ((700, 14), np.float32)
    np.testing.assert_array_equal(matrix[:, 0], table["energy"])
    np.testing.assert_array_equal(matrix[:, 1 + 5 : 1 + 10], table["cells"][:, 1])


def test_what_is_stored_is_stored_again_unchanged(arrays):
    # Chunks of a generated file are stored once, and written after they have been read back.
    for column in COLUMNS:
        stored = column.stored(arrays[column.name])
        np.testing.assert_array_equal(column.stored(stored), stored)


def test_file_holds_numbers_of_levels(tmp_path, arrays):
    write_table(tmp_path / "a.h5", arrays, COLUMNS, {})
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["cells"].dtype == np.uint16
        np.testing.assert_array_equal(file["cells"].attrs["levels"], LEVELS.astype(np.float32))
    # The same input gives the same bytes.
    write_table(tmp_path / "b.h5", arrays, COLUMNS, {})
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((3, 10)), r"column 'cells': expected rows of shape \(2, 5\), got \(10,\)"),
        (np.full((3, 2, 5), 11.0), "column 'cells': expected values from 0 to 10, got 11 to 11"),
        (np.full((3, 2, 5), -0.1), "column 'cells': expected values from 0 to 10, got -0.1"),
        (np.full((3, 2, 5), np.nan), "column 'cells': expected finite"),
    ],
)
def test_values_that_do_not_fit_leave_no_file(tmp_path, arrays, values, message):
    with pytest.raises(InputError, match=message):
        write_table(tmp_path / "a.h5", arrays | {"cells": values}, COLUMNS, {})
    assert list(tmp_path.iterdir()) == []


def test_levels_must_increase():
    column = Column("cells", "GeV", "cells", levels=np.array([0.0, 2.0, 1.0]))
    with pytest.raises(InputError, match="increasing levels"):
        column.stored(np.zeros(3))
