"""The pictures of showers show what they are given."""

import matplotlib

matplotlib.use("agg")
import numpy as np
import pytest

from hepflows import shower_plots
from hepflows.physics import shower_observables as observables
from hepflows.physics import showers


@pytest.fixture
def sample():
    rng = np.random.default_rng(0)
    return rng.exponential(size=(300, 64)) * (rng.uniform(size=(300, 64)) < 0.7), np.full(300, 90.0)


def test_images_are_energies_per_area(sample):
    voxels = np.zeros(64)
    voxels[12] = 2.0  # layer 1, first voxel: 120 x 120 mm2
    figure = shower_plots.shower_images({"one": voxels, "many": sample[0].mean(0)}, showers.MERGED)
    image = figure.axes[1].collections[0].get_array()
    assert image.count() == 1  # all others are masked
    assert image.max() == pytest.approx(2.0 / 144)
    assert [axis.get_title() for axis in figure.axes[:3]] == ["layer 0", "layer 1", "layer 2"]


def test_every_observable_has_a_panel_and_a_label(sample):
    found = observables.all_observables(*sample, showers.MERGED)
    names = list(found)
    figure = shower_plots.observable_grid({"truth": found, "flow": found}, names, columns=6)
    labels = [axis.get_xlabel() for axis in figure.axes if axis.get_xlabel()]
    assert labels == [shower_plots.observable_label(name) for name in names]
    assert len(set(labels)) == len(names)
    # equal samples: no separation, no pull
    assert all("(0.0)" in axis.get_title() for axis in figure.axes if axis.get_title())


def test_bins_of_counts_stand_around_the_values():
    edges = shower_plots.observable_edges(np.array([0.0, 0.25, 0.5, 0.5, 1.0]), 40)
    np.testing.assert_allclose(edges, [-0.125, 0.125, 0.375, 0.75, 1.25])


def test_geometry_figure_has_a_row_for_each(sample):
    figure = shower_plots.geometry_figure({"all": showers.FULL, "merged": showers.MERGED})
    assert len(figure.axes) == 6
    assert "3 x 96" in figure.axes[0].get_title()
