"""The integrator against integrals that are known exactly, at a relative error of 1e-3 or less."""

import pytest

from hepflows import integrands
from hepflows.integrate import Integrator
from hepflows.physics.processes import ElectronPositronJets, three_jet_cross_section

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


def test_three_jets_in_electron_positron_collisions():
    process = ElectronPositronJets(gluons=1, y_cut=0.01)
    result = integrated(process, process.dims, 60_000)
    assert abs(result.value - three_jet_cross_section(0.01)) < 4 * result.error and result.relative_error < 5e-3
