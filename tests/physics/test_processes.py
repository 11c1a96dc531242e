"""Integrands: analytic cross sections, quadrature with the shipped densities, Sherpa's numbers with its densities."""

import importlib.util
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from hepflows.errors import DataError, InputError
from hepflows.physics.density_splines import DensitySplines
from hepflows.physics.parton_densities import PARTONS, PartonDensities
from hepflows.physics.processes import (
    ElectronPositronJets,
    Electroweak,
    StrongCoupling,
    VectorBosonJets,
    quark_pair_cross_section,
    three_jet_cross_section,
)
from hepflows.physics.processes.couplings import PICOBARN
from hepflows.physics.processes.vector_boson import LINES

NNPDF = "NNPDF31_nnlo_as_0118_mc"


def estimate(integrand, count, generator, channel=None):
    x = torch.rand(count, integrand.dims, generator=generator, dtype=torch.float64)
    values = integrand(x) if channel is None else integrand(x, torch.full((count,), channel))
    return values.mean().item(), values.std().item() / count**0.5


def test_quark_pairs(generator):
    value, error = estimate(ElectronPositronJets(0, 0.0), 20_000, generator)
    assert abs(value - quark_pair_cross_section()) < 4 * error < 0.01 * value


@pytest.mark.parametrize("y_cut", [0.1, 0.03])
def test_three_jets_in_both_phase_spaces(y_cut, generator):
    expected = three_jet_cross_section(y_cut)
    value, error = estimate(ElectronPositronJets(1, y_cut), 100_000, generator)
    assert abs(value - expected) < 4 * error < 0.05 * expected
    channels = ElectronPositronJets(1, y_cut, channels=True)
    parts = [estimate(channels, 50_000, generator, number) for number in range(len(channels.channels))]
    error = math.hypot(*(part[1] for part in parts))
    assert abs(sum(part[0] for part in parts) - expected) < 4 * error < 0.03 * expected


@pytest.mark.parametrize("gluons", [2, 3])
def test_channels_of_many_jets_agree_with_flat_phase_space(gluons, generator):
    flat, flat_error = estimate(ElectronPositronJets(gluons, 0.02), 30_000, generator)
    channels = ElectronPositronJets(gluons, 0.02, channels=True)
    parts = [estimate(channels, 15_000, generator, number) for number in (0, 1)]
    error = math.hypot(flat_error, *(part[1] for part in parts))
    assert abs(sum(part[0] for part in parts) - flat) < 4 * error < 0.4 * flat


def drell_yan(boson):
    """sigma(pp -> l l) without cuts on leptons: int ds dy x1 f x2 f sigma_hat(s) / s, by quadrature, in pb."""
    weak, densities = Electroweak(), PartonDensities()
    column = {parton: number for number, parton in enumerate(PARTONS)}
    low, high = (66.0, 116.0) if boson == "Z" else (20.0, 200.0)
    mass, width = (weak.z_mass, weak.z_width) if boson == "Z" else (weak.w_mass, weak.w_width)
    pairs = {"W+": [(2, -1), (4, -3)], "W-": [(1, -2), (3, -4)], "Z": [(f, -f) for f in (1, 2, 3, 4, 5)]}[boson]

    def squared(flavour, s):
        if boson != "Z":  # one helicity of each
            return weak.w_squared(s)
        return sum(weak.neutral(flavour, s, q, h).abs().item() ** 2 for q in (0, 1) for h in (0, 1))

    def at_mass(angle):
        s = mass**2 + mass * width * math.tan(angle)
        tensor = torch.tensor(s, dtype=torch.float64) if boson == "Z" else s
        edge = math.log(14000 / math.sqrt(s))
        nodes, weights = np.polynomial.legendre.leggauss(80)
        y = edge * nodes
        root = math.sqrt(s) / 14000
        first, second = (densities.xf(np.clip(root * np.exp(sign * y), None, 1), 91.1876) for sign in (1, -1))
        total = 0.0
        for quark, anti in pairs:
            flux = first[:, column[quark]] * second[:, column[anti]] + first[:, column[anti]] * second[:, column[quark]]
            # sigma_hat = s / (144 pi) times the squared couplings of each helicity of quark and lepton
            total += (weights @ flux) * edge * squared(quark, tensor) * s / (144 * math.pi)
        return total / s * (mass * width) / math.cos(angle) ** 2

    ends = [math.atan((edge**2 - mass**2) / (mass * width)) for edge in (low, high)]
    return quad(at_mass, *ends, limit=100, epsrel=1e-5)[0] * PICOBARN


@pytest.mark.parametrize("boson", ["W+", "W-", "Z"])
def test_boson_alone_against_quadrature(boson, generator):
    value, error = estimate(VectorBosonJets(boson, 0), 100_000, generator)
    assert abs(value - drell_yan(boson)) < 4 * error < 0.02 * value


@pytest.mark.parametrize(("boson", "jets"), [("W+", 0), ("W-", 1), ("Z", 2), ("W+", 2), ("W-", 3)])
def test_channels_sum_to_the_whole(boson, jets, generator):
    integrand = VectorBosonJets(boson, jets)
    x = torch.rand(60, integrand.dims, generator=generator, dtype=torch.float64)
    whole = integrand(x)
    parts = sum(integrand(x, torch.full((60,), number)) for number in range(len(integrand.channels)))
    torch.testing.assert_close(parts, whole, rtol=1e-12, atol=0)
    assert (whole >= 0).all() and (whole > 0).sum() > 40
    mixed = torch.arange(60) % len(integrand.channels)
    rows = torch.stack([integrand(x, torch.full((60,), number)) for number in range(len(integrand.channels))])
    torch.testing.assert_close(integrand(x, mixed), rows[mixed, torch.arange(60)], rtol=1e-12, atol=0)


@pytest.mark.parametrize("jets", [0, 1, 2, 3])
def test_single_precision(jets, generator):
    integrand = VectorBosonJets("W+", jets)
    x = torch.rand(3000, integrand.dims, generator=generator)
    double, single = integrand(x.double()), integrand(x)
    assert single.dtype == torch.float32 and torch.isfinite(single).all()
    both = (double > 0) & (single > 0)
    assert ((single[both] / double[both] - 1).abs().median()) < 1e-4
    assert abs(single.double().mean() / double.mean() - 1) < 1e-3


def test_gradient_of_the_integrand(generator):
    integrand = VectorBosonJets("W+", 1)
    x = (0.1 + 0.8 * torch.rand(8, 6, generator=generator, dtype=torch.float64)).requires_grad_()
    (gradient,) = torch.autograd.grad(integrand(x).sum(), x)
    for column in range(6):
        shift = torch.zeros(6, dtype=torch.float64)
        shift[column] = 1e-6
        difference = (integrand(x.detach() + shift) - integrand(x.detach() - shift)) / 2e-6
        scale = gradient.abs().amax(1)
        assert ((difference - gradient[:, column]).abs() / scale).max() < 1e-5


def test_symmetry_between_the_protons(generator):
    """Exchanging the beams exchanges "q qbar" and "qbar q": equal cross sections."""
    integrand = VectorBosonJets("W+", 1)
    for one, two in (("q qbar", "qbar q"), ("q g", "g q"), ("qbar g", "g qbar")):
        values = [estimate(integrand, 60_000, generator, integrand.channels.index(name)) for name in (one, two)]
        assert abs(values[0][0] - values[1][0]) < 4 * math.hypot(values[0][1], values[1][1])


def test_running_scale(generator):
    """Without jets the scale is half the boson's mass; alpha_s runs down with the scale."""
    integrand = VectorBosonJets("Z", 0, scale="running", window=(91.0, 91.4))
    fixed = VectorBosonJets("Z", 0, scale=91.2 / 2, window=(91.0, 91.4))
    x = torch.rand(500, 3, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(integrand(x), fixed(x), rtol=2e-3, atol=0)
    coupling = StrongCoupling()
    scales = torch.tensor([91.1876, 200.0], dtype=torch.float64)
    b0 = 23 / (12 * math.pi)
    expected = [0.118, 1 / (1 / 0.118 + b0 * math.log(200.0**2 / 91.1876**2))]
    torch.testing.assert_close(coupling(scales), torch.tensor(expected, dtype=torch.float64))
    jets = VectorBosonJets("W+", 1, scale="running")
    assert torch.isfinite(jets(torch.rand(500, 6, generator=generator))).all()


def test_splines_agree_with_the_densities(rng):
    reference, splines = PartonDensities(), DensitySplines.shipped()
    x = np.exp(rng.uniform(np.log(2e-6), np.log(0.99), 500))
    q = np.exp(rng.uniform(np.log(10.1), np.log(9900), 500))
    ours = splines(torch.tensor(x), torch.tensor(q)).numpy()
    np.testing.assert_allclose(ours, reference.xf(x, q).clip(min=0), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(splines.at(91.1876)(torch.tensor(x)), reference.xf(x, 91.1876).clip(min=0), atol=1e-10)
    with pytest.raises(InputError, match="q: expected a scale"):
        splines.at(2.0)
    with pytest.raises(InputError, match="q: expected scales"):
        splines(torch.tensor([0.1]), torch.tensor([2.0]))


def test_reading_the_lhapdf_format(tmp_path):
    x, q = np.geomspace(1e-4, 1, 6), np.geomspace(10, 1000, 5)
    flavours = [*range(-5, 0), *range(1, 6), 21]
    values = np.add.outer(np.add.outer(np.log(x), np.log(q)), np.arange(11.0)) + 20
    rows = "\n".join(" ".join(f"{number:.17g}" for number in row) for row in values.reshape(-1, 11))
    nodes = "\n".join(" ".join(f"{node:.17g}" for node in axis) for axis in (x, q))
    path = tmp_path / "set_0000.dat"
    path.write_text(f"Format: lhagrid1\n---\n{nodes}\n{' '.join(map(str, flavours))}\n{rows}\n---\n")
    splines = DensitySplines.from_lhapdf(path)
    expected = [math.log(0.01) + math.log(50.0) + 20 + flavours.index(parton) for parton in PARTONS]
    got = splines(torch.tensor([0.01], dtype=torch.float64), torch.tensor([50.0], dtype=torch.float64))[0]
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    with pytest.raises(DataError, match="with values at 5 GeV"):
        DensitySplines.from_lhapdf(path, q=5.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: VectorBosonJets("H"), "boson: expected one of"),
        (lambda: VectorBosonJets("Z", 4), "jets: expected 0 to 3"),
        (lambda: VectorBosonJets("Z", 1, only=["g g"]), "only: expected names among"),
        (lambda: VectorBosonJets("Z", 1)(torch.rand(3, 5)), "x: expected points"),
        (lambda: VectorBosonJets("Z", 1)(torch.rand(3, 6), torch.tensor([0, 1, 6])), "channel: expected numbers"),
        (lambda: ElectronPositronJets(4), "gluons: expected 0 to 3"),
        (lambda: ElectronPositronJets(1, 0.0), "y_cut: expected"),
        (lambda: three_jet_cross_section(0.4), "y_cut: expected a number between 0 and 1/3, got 0.4"),
        (lambda: ElectronPositronJets(1, 0.1)(torch.rand(2, 5), torch.zeros(2)), "channel: expected one number"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(InputError, match=message):
        make()


def nnpdf():
    """The grid that Sherpa brings, or one in a folder of LHAPDF_DATA_PATH; skips where there is none."""
    folders = [Path(folder) for folder in os.environ.get("LHAPDF_DATA_PATH", "").split(":") if folder]
    sherpa = importlib.util.find_spec("Sherpa")
    if sherpa is not None:
        folders.append(Path(sherpa.origin).parent / "share" / "SHERPA-MC")
    for folder in folders:
        path = folder / NNPDF / f"{NNPDF}_0000.dat"
        if path.is_file():
            return DensitySplines.from_lhapdf(path)
    pytest.skip(f"{NNPDF} not found: it comes with sherpa-mc, or set LHAPDF_DATA_PATH")


# Sherpa 3.0.3 with the cuts and parameters that are the defaults here: cross section and its error in pb.
SHERPA = [
    ("W+", 0, None, 11227.8, 16.2, 40_000),
    ("W+", 1, None, 2426.9, 4.8, 100_000),
    ("W-", 1, None, 1823.28, 3.65, 100_000),
    ("Z", 0, None, 1833.65, 1.47, 40_000),
    ("Z", 1, None, 451.80, 0.82, 60_000),
]
# One flavour of the line, u -> d: what comes in and goes out in Sherpa.
SHERPA_UP = [
    ("W+", 1, ("q qbar", "qbar q"), 601.1, 1.8, 60_000),  # u dbar -> W g
    ("W+", 2, ("q qbar", "qbar q"), 60.11, 0.42, 60_000),  # u dbar -> W g g
    ("W+", 2, ("q g", "g q"), 518.7, 3.4, 60_000),  # u g -> W d g
    ("W+", 2, ("g g",), 22.48, 0.09, 60_000),  # g g -> W ubar d
    ("W+", 3, ("q qbar", "qbar q"), 9.40, 0.55, 20_000),  # u dbar -> W g g g
]


def compare(case, generator):
    """Two hard jets that recoil against each other are rare in the mapping, which draws each of them from 1 / pT^4, and
    then have large weights. 1 - x -> (1 - x)^2 in the columns of pT draws them from 1 / pT^3 instead.
    """
    boson, jets, only, expected, uncertainty, count = case
    integrand = VectorBosonJets(boson, jets, nnpdf(), only=only)
    x = torch.rand(count, integrand.dims, generator=generator, dtype=torch.float64)
    jacobian = 2**jets * (1 - x[:, 3::3]).prod(1)
    x[:, 3::3] = 1 - (1 - x[:, 3::3]) ** 2
    values = integrand(x) * jacobian
    value, error = values.mean().item(), values.std().item() / count**0.5
    assert abs(value - expected) < 3 * math.hypot(uncertainty, error)
    assert error < 0.1 * value


@pytest.mark.parametrize("case", SHERPA, ids=str)
def test_cross_sections_against_sherpa(case, generator):
    compare(case, generator)


@pytest.mark.parametrize("case", SHERPA_UP, ids=str)
def test_channels_against_sherpa(case, generator, monkeypatch):
    monkeypatch.setitem(LINES, "W+", [[(2, 1)]])
    compare(case, generator)
