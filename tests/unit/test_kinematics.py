"""Longitudinal kinematics against four-vectors of the vector library."""

import numpy as np
import pytest
import vector

from hepflows.errors import InputError
from hepflows.physics.kinematics import LHC_ENERGY, gluon_pair, log_mass_and_rapidity, momentum_fractions


def fractions():
    rng = np.random.default_rng(4)
    return rng.uniform(1e-4, 1, 500), rng.uniform(1e-4, 1, 500)


def four_vectors(x1, x2):
    beam = LHC_ENERGY / 2
    first = vector.array({"px": 0 * x1, "py": 0 * x1, "pz": x1 * beam, "E": x1 * beam})
    return first + vector.array({"px": 0 * x2, "py": 0 * x2, "pz": -x2 * beam, "E": x2 * beam})


def test_gluon_pair_is_the_sum_of_two_four_vectors():
    x1, x2 = fractions()
    pair = four_vectors(x1, x2)
    pz, energy = gluon_pair(x1, x2)
    np.testing.assert_allclose(pz, pair.pz, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(energy, pair.E, rtol=1e-12)
    log_mass, rapidity = log_mass_and_rapidity(pz, energy)
    np.testing.assert_allclose(np.exp(log_mass), pair.mass, rtol=1e-9)
    np.testing.assert_allclose(rapidity, pair.rapidity, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(momentum_fractions(pz, energy), (x1, x2), rtol=1e-9)


def test_bad_input():
    with pytest.raises(InputError, match="x2: expected momentum fractions between 0 and 1, got 0.5 to 1.5"):
        gluon_pair(np.array([0.1, 0.2]), np.array([0.5, 1.5]))
    with pytest.raises(InputError, match=r"energy: expected E > \|p_z\|"):
        log_mass_and_rapidity(np.array([3.0]), np.array([3.0]))
