"""Cross sections of the shower Monte Carlo against independent formulas, and every sampler against its distribution."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import cumulative_trapezoid, quad, trapezoid

pytest.importorskip("numba", reason="hepflows[simulate] is not installed")

from hepflows.generators.showers import cross_sections as cs
from hepflows.generators.showers import pion_tables, random_numbers, sampling, stopping, tables
from hepflows.generators.showers.layout import ARGON, LEAD, MATERIALS, sandwich

pytestmark = pytest.mark.simulate

DRAWS = 20_000
RE2, MASS = cs.CLASSICAL_RADIUS_SQUARED, cs.ELECTRON_MASS


@pytest.fixture
def state(rng):
    return random_numbers.state(rng)


def draws(function, *arguments):
    return np.array([function(*arguments) for _ in range(DRAWS)])


def assert_follows(sample, grid, density):
    """Kolmogorov and Smirnov's test of a sample against a density on a grid."""
    cumulative = cumulative_trapezoid(density, grid, initial=0)
    assert stats.kstest(sample, lambda x: np.interp(x, grid, cumulative / cumulative[-1])).pvalue > 1e-4


# --- random numbers ---------------------------------------------------------------------------------------------------


def test_uniform_numbers_are_those_of_numpy(state):
    bits = np.random.SFC64(1)
    copy = bits.state
    copy["state"]["state"] = state.copy()
    bits.state = copy
    ours = np.array([random_numbers.uniform(state) for _ in range(1000)])
    np.testing.assert_array_equal(ours, np.random.Generator(bits).random(1000))


def test_seed_makes_the_numbers():
    def first(seed):
        return random_numbers.uniform(random_numbers.state(np.random.default_rng(seed)))

    assert first(1) == first(1) != first(2)


@pytest.mark.parametrize(
    ("function", "arguments", "distribution"),
    [
        (random_numbers.exponential, (), stats.expon()),
        (random_numbers.normal, (), stats.norm()),
        (random_numbers.gamma, (0.7,), stats.gamma(0.7)),
        (random_numbers.gamma, (3.0,), stats.gamma(3.0)),
    ],
)
def test_numbers_follow_their_distribution(state, function, arguments, distribution):
    assert stats.kstest(draws(function, state, *arguments), distribution.cdf).pvalue > 1e-4


def test_poisson_numbers_and_angles(state):
    counts = np.bincount(draws(random_numbers.poisson, state, 1.3).astype(int), minlength=12)[:12]
    expected = stats.poisson(1.3).pmf(np.arange(12)) * DRAWS
    kept = expected > 5
    assert stats.chisquare(counts[kept], expected[kept] * counts[kept].sum() / expected[kept].sum()).pvalue > 1e-4
    cosine, sine = draws(random_numbers.azimuth, state).T
    np.testing.assert_allclose(cosine**2 + sine**2, 1, rtol=1e-12)
    assert stats.kstest(np.arctan2(sine, cosine), stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-4


# --- photons ----------------------------------------------------------------------------------------------------------


def klein_nishina(cosine, energy):
    """d sigma / d Omega = r_e^2 / 2 P^2 (P + 1/P - sin^2) with P = 1 / (1 + k (1 - cos)): per unit of the cosine."""
    ratio = 1 / (1 + energy / MASS * (1 - cosine))
    return np.pi * RE2 * ratio**2 * (ratio + 1 / ratio - 1 + cosine**2)


@pytest.mark.parametrize("energy", [0.05, 0.5, 5.0, 500.0])
def test_compton_scattering(state, energy):
    grid = 1 - np.geomspace(1e-9, 2, 20_000)[::-1]
    assert cs.compton(energy) == pytest.approx(trapezoid(klein_nishina(grid, energy), grid), rel=1e-4)
    share, versine = draws(sampling.compton, state, energy).T
    # Energy and angle of one photon are tied by kinematics.
    np.testing.assert_allclose(share, 1 / (1 + energy / MASS * versine), rtol=1e-9)
    assert_follows(1 - versine, grid, klein_nishina(grid, energy))


def test_compton_at_low_energy_is_thomson_scattering():
    assert cs.compton(1e-3) == pytest.approx(8 * np.pi / 3 * RE2, rel=5e-3)


@pytest.mark.parametrize("material", MATERIALS, ids=lambda material: material.name)
def test_photons_convert_after_nine_sevenths_of_a_radiation_length(material):
    attenuation = cs.pair_production(5e4, material.charge) * material.atoms / material.density
    # 7/9 but for (1/9)/(...) of the next order and the 5 % of the fit.
    assert attenuation * material.radiation_length == pytest.approx(7 / 9, rel=0.05)


def bethe_heitler(share, energy, charge):
    """Screened pair production without Coulomb correction, alpha r_e^2 Z^2 [...] per unit of the share (Tsai 1974)."""
    delta = 136 * charge ** (-1 / 3) * 4 * MASS / energy / (4 * share * (1 - share))
    first, second = (np.maximum(phi - 4 / 3 * np.log(charge), 0) for phi in cs.screening(delta))
    bracket = (share**2 + (1 - share) ** 2) * first + 2 / 3 * share * (1 - share) * second
    return cs.FINE_STRUCTURE * RE2 * charge**2 * bracket


@pytest.mark.parametrize("material", MATERIALS, ids=lambda material: material.name)
def test_total_pair_production_against_the_integrated_formula(material):
    for energy in (10.0, 20.0, 40.0):
        edge = MASS / energy
        shares = np.linspace(edge, 1 - edge, 4000)
        total = trapezoid(bethe_heitler(shares, energy, material.charge), shares)
        # Electrons of the atom pair too: Z (Z + 1). The Born approximation is good to 15 % for lead at 10 MeV.
        ratio = cs.pair_production(energy, material.charge) / (total * (1 + 1 / material.charge))
        assert ratio == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize(("energy", "number"), [(5.0, 0), (30.0, 1), (40.0, 0)])
def test_pair_energies(state, energy, number):
    share = draws(sampling.pair_fraction, state, energy, number)
    edge = MASS / energy
    assert np.all((share >= edge) & (share <= 1 - edge))
    grid = np.linspace(edge, 1 - edge, 20_000)
    assert_follows(share, grid, bethe_heitler(grid, energy, MATERIALS[number].charge))


def test_pair_energies_at_high_energy_are_those_of_complete_screening(state):
    # 1 - 4/3 x (1 - x), the PDG's formula, holds where screening is complete: to a few per mille at 50 GeV.
    share = draws(sampling.pair_fraction, state, 5e4, 0)[:4000]
    grid = np.linspace(0, 1, 2000)
    assert_follows(share, grid, 1 - 4 / 3 * grid * (1 - grid))


def test_photoelectric_effect_has_edge_and_power_law():
    below, above = cs.photoelectric(np.array([0.0879, 0.0881]), LEAD)
    assert above / below == pytest.approx(4.7, rel=0.02)  # jump ratio of the K edge of lead
    low, high = cs.photoelectric(np.array([0.03, 0.06]), ARGON)
    assert np.log(low / high) / np.log(2) == pytest.approx(3.1, abs=0.2)


def test_total_attenuation_against_published_values():
    # NIST XCOM, without coherent scattering [cm2/g]; the photoelectric part of 1 MeV and beyond is good to 10 %.
    for energy, published in ((0.5, 0.1526), (1.0, 0.0702), (3.0, 0.0421), (10.0, 0.0497), (20.0, 0.0620)):
        found = cs.pair_production(energy, 82.0) + 82 * cs.compton(energy) + cs.photoelectric(energy, LEAD)
        assert found * LEAD.atoms / LEAD.density == pytest.approx(published, rel=0.03)


def test_dipole_resonance_follows_the_sum_rule():
    # Thomas, Reiche and Kuhn: 60 MeV mb N Z / A; resonances hold 1 to 1.5 of it in lead, less in light nuclei.
    energies = np.linspace(5, 30, 5000)
    for material, low, high in ((LEAD, 1.0, 1.5), (ARGON, 0.6, 1.2)):
        neutrons = material.mass - material.charge
        rule = 60 * neutrons * material.charge / material.mass * 1e-27
        assert low < trapezoid(cs.photonuclear(energies, material), energies) / rule < high


# --- electrons and positrons ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("material", MATERIALS, ids=lambda material: material.name)
def test_radiation_length(material):
    # At high energy, energy is lost with the radiation length, but for terms of order 1 / (18 ln 183 Z^-1/3).
    kinetic = 1e5
    energy = kinetic + MASS
    fractions = np.linspace(1e-6, kinetic / energy, 20_000)
    loss = trapezoid(cs.bremsstrahlung(fractions, energy, material), fractions)
    assert loss == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize(("kinetic", "number"), [(2.0, 0), (20.0, 1), (1e4, 0)])
def test_bremsstrahlung_energies(state, kinetic, number):
    photons = draws(sampling.bremsstrahlung_energy, state, kinetic, number)
    energy = kinetic + MASS
    grid = np.linspace(np.log(cs.PHOTON_CUT), np.log(kinetic), 20_000)
    assert_follows(np.log(photons), grid, cs.bremsstrahlung(np.exp(grid) / energy, energy, MATERIALS[number]))


@pytest.mark.parametrize("kinetic", [3.0, 50.0, 1e4])
def test_knock_on_electrons(state, kinetic):
    cut = 1.0
    for positron, sampler, formula in (
        (False, sampling.moller_fraction, cs.moller),
        (True, sampling.bhabha_fraction, cs.bhabha),
    ):
        largest = 1.0 if positron else 0.5
        share = draws(sampler, state, kinetic, cut)
        grid = np.linspace(np.log(cut / kinetic), np.log(largest), 20_000)
        assert_follows(np.log(share), grid, formula(np.exp(grid), kinetic) * np.exp(grid))
        total, energy = cs.knock_on(kinetic, cut, positron)
        assert total == pytest.approx(quad(formula, cut / kinetic, largest, (kinetic,), limit=200)[0], rel=1e-3)
        # Mean energy of what is drawn, within five standard errors.
        assert abs(share.mean() * kinetic - energy / total) < 5 * share.std() * kinetic / np.sqrt(DRAWS)


def test_soft_collisions_are_rutherford_scattering():
    # 2 pi r_e^2 m / (beta^2 T^2) dT for small transfers, of electrons and positrons.
    kinetic, transfer = 1000.0, 0.5
    rutherford = 2 * np.pi * RE2 * MASS / transfer**2 * kinetic
    for formula in (cs.moller, cs.bhabha):
        assert formula(transfer / kinetic, kinetic) == pytest.approx(rutherford, rel=5e-3)


@pytest.mark.parametrize("kinetic", [0.7, 5.0, 100.0])
def test_annihilation_in_flight(state, kinetic):
    gamma = kinetic / MASS + 1
    root = np.sqrt((gamma - 1) / (gamma + 1))
    grid = np.linspace(np.log((1 - root) / 2), np.log((1 + root) / 2), 20_000)
    share = np.exp(grid)
    density = 1 + 2 * gamma / (gamma + 1) ** 2 - share - 1 / ((gamma + 1) ** 2 * share)
    sample = draws(sampling.annihilation_fraction, state, kinetic)
    assert_follows(np.log(sample), grid, density)
    # d sigma / d eps = pi r_e^2 / (gamma - 1) density / eps counts each of the two photons.
    total = np.pi * RE2 / (gamma - 1) * trapezoid(density, grid) / 2
    assert cs.annihilation(kinetic) == pytest.approx(total, rel=1e-4)
    # Both photons together have the momentum of the positron.
    first, second = (sampling.annihilation_cosine(kinetic, part) for part in (0.4, 0.6))
    along = (kinetic + 2 * MASS) * (0.4 * first + 0.6 * second)
    assert along == pytest.approx(np.sqrt(kinetic * (kinetic + 2 * MASS)), rel=1e-9)


def test_scattered_electrons_share_the_momentum():
    kinetic, share = 20.0, 0.3
    parts = np.array([share, 1 - share]) * kinetic
    momenta = np.sqrt(parts * (parts + 2 * MASS))
    cosines = np.array([sampling.scattered_cosine(kinetic, part) for part in (share, 1 - share)])
    assert momenta @ cosines == pytest.approx(np.sqrt(kinetic * (kinetic + 2 * MASS)), rel=1e-12)
    sines = np.sqrt(1 - cosines**2)
    assert momenta[0] * sines[0] == pytest.approx(momenta[1] * sines[1], rel=1e-9)


def test_energy_loss_of_minimum_ionising_particles():
    # PDG: 1.122 MeV cm2/g in lead, 1.508 in liquid argon, at beta gamma of about 3.5; the cut is put back analytically.
    kinetic = pion_tables.PION_MASS * (np.hypot(3.5, 1) - 1)
    beta2 = 1 - (kinetic / pion_tables.PION_MASS + 1) ** -2.0
    largest, cut = pion_tables.largest_transfer(kinetic), pion_tables.KNOCK_ON_CUT
    for material, published in ((LEAD, 1.122), (ARGON, 1.508)):
        hard = np.log(largest / cut) - beta2 * (1 - cut / largest)
        hard *= 0.5 * pion_tables.BETHE * material.charge / material.mass / beta2
        found = 10 * pion_tables.restricted_loss(kinetic, material) / material.density + hard
        assert found == pytest.approx(published, rel=0.02)


@pytest.mark.parametrize("material", MATERIALS, ids=lambda material: material.name)
def test_multiple_scattering_against_highland(material):
    # theta_0 = 13.6 MeV / (beta p) sqrt(x/X0) (1 + 0.038 ln x/X0) is the width without the tails of the mean square.
    kinetic, thickness = 200.0, 0.1
    length = thickness * material.radiation_length / material.density
    for positron in (False, True):
        plane = np.sqrt(length * stopping.inverse_transport_length(kinetic, material, positron))
        highland = 13.6 / kinetic * np.sqrt(thickness) * (1 + 0.038 * np.log(thickness))
        assert 0.95 < plane / highland < 1.3


@pytest.mark.parametrize("paths", [0.01, 0.049, 0.051, 0.3, 0.8])
def test_mean_deflection(state, paths):
    cosine = 1 - draws(sampling.deflection, state, paths)
    assert np.all(np.abs(cosine) <= 1)
    assert abs(cosine.mean() - np.exp(-paths)) < 5 * cosine.std() / np.sqrt(DRAWS)


def test_critical_energy_and_moliere_radius_of_the_sandwich():
    # Depth of each layer 5.8, 22.3 and 2.8 radiation lengths; E_c 9 MeV; Moliere radius 37 mm.
    length, _, critical, moliere = sandwich()
    assert np.array([90, 347, 43]) / length == pytest.approx([5.8, 22.3, 2.8], abs=0.06)
    assert critical == pytest.approx(9.0, abs=0.2)
    assert moliere == pytest.approx(36.9, abs=0.5)


# --- tables -----------------------------------------------------------------------------------------------------------


def test_grid_is_found_and_interpolated(rng):
    grid = tables.nodes()
    assert (grid[0], grid[-1]) == (tables.LOWEST, tables.HIGHEST)
    for energy in np.concatenate([grid[:-1], np.exp(rng.uniform(np.log(grid[0]), np.log(grid[-1]), 1000))]):
        node, part = tables.locate(energy)
        assert grid[node] <= energy < grid[node + 1]
        assert grid[node] + part * (grid[node + 1] - grid[node]) == pytest.approx(energy, rel=1e-12)


def test_interpolated_rates_are_those_of_the_formulas():
    kinetic = 12.3
    node, part = tables.locate(kinetic)
    below, above = tables.tables().photon[0, node], tables.tables().photon[0, node + 1]
    expected = np.cumsum(
        [
            cs.pair_production(kinetic, 82.0),
            82 * cs.compton(kinetic),
            cs.photoelectric(kinetic, LEAD),
            cs.photonuclear(kinetic, LEAD),
        ]
    )
    np.testing.assert_allclose(below + part * (above - below), expected * LEAD.atoms / 10, rtol=1e-3)
    assert np.all(tables.tables().majorant >= tables.tables().photon[:, :, -1])
