"""A window that slides along a spectrum, and what the search in many places costs (look-elsewhere effect)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hepflows.errors import InputError
from hepflows.evaluate.checks import as_array, as_count
from hepflows.evaluate.counting import Excess, excess
from hepflows.evaluate.spectrum import fit_spectrum


@dataclass(frozen=True)
class WindowScan:
    """Windows (windows, 2) in the unit of the mass, and the excess in each, over a fit to all bins outside of it."""

    windows: np.ndarray
    excesses: tuple[Excess, ...]

    @property
    def z(self) -> np.ndarray:
        """Local significance of each window, shape (windows,)."""
        return np.array([found.z for found in self.excesses])

    @property
    def largest(self) -> int:
        """Index of the window with the largest local significance."""
        return int(self.z.argmax())


def scan_windows(counts: ArrayLike, edges: ArrayLike, bins: int, degree: int = 4, margin: int = 2) -> WindowScan:
    """Slide a window of `bins` bins along a histogram, one bin a step, and count the excess in each place.

    In each place the spectrum is fitted outside the window (`fit_spectrum`), so that the signal cannot hide in its own
    background; the fit's error is part of the significance.

    Args:
        counts: events in each bin, shape (n,).
        edges: edges of the bins, shape (n + 1,).
        bins: width of the window in bins.
        degree: of the polynomial of the spectrum.
        margin: so many bins remain on each side of the window at least.

    Raises:
        InputError: as `fit_spectrum`, or a window for which the histogram is too short.
    """
    edges = as_array("edges", edges, (None,))
    counts = as_array("counts", counts, (len(edges) - 1,))
    bins, margin = as_count("bins", bins, minimum=1), as_count("margin", margin, minimum=1)
    starts = range(margin, len(counts) - margin - bins + 1)
    if not starts:
        raise InputError(
            f"bins: expected a window of {bins} bins and {margin} on each side, got a histogram of {len(counts)}"
        )
    windows, excesses = [], []
    for start in starts:
        window = (edges[start], edges[start + bins])
        fit = fit_spectrum(counts, edges, window, degree)
        excesses.append(excess(counts[start : start + bins].sum(), fit.events, fit.uncertainty))
        windows.append(window)
    return WindowScan(np.array(windows), tuple(excesses))


def largest_excess_in_toys(
    expected: ArrayLike,
    edges: ArrayLike,
    bins: int,
    toys: int,
    degree: int = 4,
    margin: int = 2,
    rng: np.random.Generator | int | None = None,
) -> np.ndarray:
    """The largest local Z of a scan in each of `toys` Poisson fluctuations of a background, shape (toys,).

    Compare the largest Z of the data with it (`global_p_value`): the windows overlap and share their fits, which no
    formula knows, but the toys do.

    Args:
        expected: background in each bin, shape (n,), such as a fit to the whole spectrum.
        edges, bins, degree, margin: as in `scan_windows`.
        toys: number of toys.
        rng: numpy generator or its seed.

    Raises:
        InputError: as `scan_windows`, or a negative expectation.
    """
    edges = as_array("edges", edges, (None,))
    expected = as_array("expected", expected, (len(edges) - 1,))
    if np.any(expected < 0):
        raise InputError(f"expected: expected numbers of at least 0, got {expected.min()}")
    rng = np.random.default_rng(rng)
    scans = (
        scan_windows(rng.poisson(expected), edges, bins, degree, margin)
        for _ in range(as_count("toys", toys, minimum=1))
    )
    return np.array([scan.z.max() for scan in scans])
