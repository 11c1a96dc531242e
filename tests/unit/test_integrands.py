"""The test integrands against quadrature and the published integrals."""

import pytest
import torch
from scipy import integrate

from hepflows import integrands
from hepflows.errors import InputError

PUBLISHED = [
    (integrands.gaussian(2), 0.999186),
    (integrands.gaussian(4), 0.998373),
    (integrands.camel(2), 0.98166),
    (integrands.camel(4), 0.963657),
    (integrands.camel(8), 0.928635),
    (integrands.camel(16), 0.862363),
    (integrands.entangled_circles(), 0.0136848),
    (integrands.annulus(), 0.510508),
    (integrands.polynomial(18), 3.0),
]


@pytest.mark.parametrize(("integrand", "published"), PUBLISHED, ids=lambda value: getattr(value, "name", None))
def test_integral_is_the_published_one(integrand, published):
    assert integrand.integral == pytest.approx(published, rel=2e-6)


@pytest.mark.parametrize("integrand", [integrands.gaussian(2), integrands.camel(2), integrands.polynomial(2)])
def test_integral_is_that_of_quadrature(integrand):
    value = integrate.dblquad(lambda y, x: float(integrand(torch.tensor([[x, y]], dtype=torch.float64))), 0, 1, 0, 1)
    assert value[0] == pytest.approx(integrand.integral, rel=1e-6)


@pytest.mark.parametrize(
    ("integrand", "accuracy"), [(integrands.entangled_circles(), 1e-5), (integrands.annulus(), 1e-4)]
)
def test_integral_is_that_of_a_fine_lattice(integrand, accuracy):
    points = (torch.arange(2000, dtype=torch.float64) + 0.5) / 2000
    value = sum(float(integrand(torch.cartesian_prod(rows, points)).sum()) for rows in points.split(250)) / 2000**2
    assert value == pytest.approx(integrand.integral, rel=accuracy)


def test_wrong_shape():
    with pytest.raises(InputError, match=r"x: expected shape \(n, 2\), got \(4, 3\)"):
        integrands.annulus()(torch.zeros(4, 3))
