"""Photons absorbed by nuclei: evaporated neutrons, followed through the calorimeter, and de-excitation photons.

A simple picture, not a nuclear model: 8 MeV to separate a neutron, evaporation spectra of temperature 1 MeV, cross
sections of neutrons in two energy ranges (from memory, +-20 %). It matters for how many cells are hit, and for 0.4 % of
the energy.
"""

from hepflows.generators.showers.compiled import compiled
from hepflows.generators.showers.geometry import cell_index, depth_in_period, inside, material_at
from hepflows.generators.showers.random_numbers import exponential, gamma, uniform
from hepflows.generators.showers.sampling import isotropic
from hepflows.generators.showers.stack import push

SEPARATION_ENERGY = 8.0
NEUTRON_END = 0.002
_COLLISIONS = 300
# Total rates [1/mm] in lead and argon below and above 3 MeV: about 6 b and 3 b.
_SLOW, _FAST, _SLOW_LIMIT = (0.021, 0.0075), (0.018, 0.0050), 3.0
_MASSES = (207.0, 40.0)
_EXCITATIONS = (0.8, 1.5)


@compiled
def absorb(stack, count, cells, state, energy, x, y, z):
    """Absorb a photon of `energy` [MeV]: returns the count of the stack and the energy not deposited."""
    neutrons = 1 if energy < 16.0 else (2 if energy < 30.0 else min(int(2 + energy / 60.0), 12))
    left, lost = energy, 0.0
    if energy > 30.0:
        # Protons of some 10 MeV: they stop within millimetres.
        protons = 0.4 * energy * uniform(state)
        cells[cell_index(x, y, z)] += protons
        left -= protons
    for _ in range(neutrons):
        kinetic = gamma(state, 1.5)
        if energy > 30.0:
            kinetic += 0.05 * energy * uniform(state)
        if left < SEPARATION_ENERGY + kinetic:
            break
        left -= SEPARATION_ENERGY + kinetic
        count, missing = scatter_neutron(stack, count, cells, state, kinetic, x, y, z)
        lost += SEPARATION_ENERGY + missing
    return deexcite(stack, count, cells, state, left, x, y, z), lost


@compiled
def deexcite(stack, count, cells, state, energy, x, y, z):
    """Emit photons of 1 to 4 MeV, isotropic; what is more than 20 MeV stays where it is, as short tracks do."""
    if energy > 20.0:
        cells[cell_index(x, y, z)] += energy - 20.0
        energy = 20.0
    while energy > 1.0:
        photon = min(1.0 + 3.0 * uniform(state), energy)
        count = push(stack, count, 0.0, photon, x, y, z, isotropic(state))
        energy -= photon
    cells[cell_index(x, y, z)] += energy
    return count


@compiled
def scatter_neutron(stack, count, cells, state, kinetic, x, y, z):
    """Follow a neutron through elastic and inelastic collisions; returns the stack's count and the energy lost."""
    u, v, w = isotropic(state)
    for _ in range(_COLLISIONS):
        lead, argon = _SLOW if kinetic < _SLOW_LIMIT else _FAST
        flight = exponential(state) / lead
        x += flight * u
        y += flight * v
        z += flight * w
        if not inside(x, y, z):
            return count, kinetic
        material = material_at(depth_in_period(z))
        if material == 1 and uniform(state) > argon / lead:
            continue
        excitation = _EXCITATIONS[material]
        if kinetic > excitation and uniform(state) < (0.12 if kinetic < 2.5 else 0.35):
            photon = excitation + 0.5 * uniform(state) * (kinetic - excitation)
            count = push(stack, count, 0.0, photon, x, y, z, isotropic(state))
            kinetic -= photon
        mass = _MASSES[material]
        recoil = kinetic * 2.0 * mass / (mass + 1.0) ** 2 * (2.0 * uniform(state))
        cells[cell_index(x, y, z)] += recoil
        kinetic -= recoil
        u, v, w = isotropic(state)
        if kinetic < NEUTRON_END:
            break
    return count, kinetic
