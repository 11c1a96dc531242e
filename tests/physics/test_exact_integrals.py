"""The integrator against integrals that are known exactly, at a relative error of 1e-3 or less."""

import math

import numpy as np
import pytest
import torch
from scipy import special

from hepflows import integrands
from hepflows.integrate import Integrator
from hepflows.physics.processes import ElectronPositronJets

# integrand, evaluations
EXACT = [
    (integrands.gaussian(2), 30_000),
    (integrands.gaussian(4), 40_000),
    (integrands.camel(2), 30_000),
    (integrands.camel(4), 60_000),
    (integrands.camel(8), 150_000),
    (integrands.entangled_circles(), 80_000),
    (integrands.annulus(), 60_000),
    (integrands.polynomial(18), 20_000),
]


def integrated(integrand, dims, evaluations):
    integrator = Integrator(integrand, dims, seed=3)
    integrator.train(evaluations // 2, progress=False)
    return integrator.integrate(evaluations - integrator.evaluations)


@pytest.mark.parametrize(("integrand", "evaluations"), EXACT, ids=[f"{i.name} {i.dims}" for i, _ in EXACT])
def test_value_is_exact_within_its_error(integrand, evaluations):
    result = integrated(integrand, integrand.dims, evaluations)
    assert result.relative_error < 1e-3
    assert abs(result.value - integrand.integral) < 4 * result.error
    assert result.chi2_per_dof < 2


def three_jet_fraction(y):
    """sigma(all y_ij > y) / (sigma_0 alpha_s) of e+e- -> q qbar g, the integral of the leading-order matrix element."""
    logs = 2 * math.log(y / (1 - y)) ** 2 + 3 * (1 - 2 * y) * math.log(y / (1 - 2 * y))
    dilogarithm = special.spence(1 - y / (1 - y))
    return 4 / 3 / (2 * math.pi) * (logs + 2.5 - 6 * y - 4.5 * y**2 + 4 * dilogarithm - math.pi**2 / 3)


def test_three_jets_in_electron_positron_collisions():
    y, alpha_s = 0.01, 0.118
    nodes, weights = (0.5 * values for values in np.polynomial.legendre.leggauss(8))  # exact for 1 + cos^2
    points = torch.cartesian_prod(*[torch.from_numpy(nodes + 0.5)] * 2)
    two_jets = ElectronPositronJets(gluons=0, y_cut=0)(points) * torch.outer(*[torch.from_numpy(weights)] * 2).flatten()
    exact = float(two_jets.sum()) * alpha_s * three_jet_fraction(y)
    process = ElectronPositronJets(gluons=1, y_cut=y, alpha_s=alpha_s)
    result = integrated(process, process.dims, 60_000)
    assert abs(result.value - exact) < 4 * result.error and result.relative_error < 5e-3
