"""A toy of pi+ showers: late start, tracks, large fluctuations. NOT a hadronic model.

Ionisation is the real one (restricted Bethe formula, knock-on electrons one by one), so is multiple scattering (the
width of Rossi and Highland), and so are the photons of pi0 decays, which the electromagnetic cascade follows. All about
the nuclear collision is invented: a leading particle, pions of limited transverse momentum, short tracks and diffuse
neutrons in shares that look right. It is known to hit too few cells.
"""

import numpy as np

from hepflows.generators.showers import random_numbers
from hepflows.generators.showers.compiled import compiled
from hepflows.generators.showers.cross_sections import ELECTRON_MASS
from hepflows.generators.showers.electromagnetic import cascade
from hepflows.generators.showers.geometry import cell_index, depth_in_period, inside, material_at, sheet_boundary
from hepflows.generators.showers.layout import HALF_DEPTH, MATERIALS, TOTAL_CELLS
from hepflows.generators.showers.pion_tables import KNOCK_ON_CUT, PION_MASS, STRAGGLING, pion_tables
from hepflows.generators.showers.random_numbers import azimuth, exponential, gamma, poisson, uniform
from hepflows.generators.showers.sampling import isotropic, rotate
from hepflows.generators.showers.simulate import checked_energies
from hepflows.generators.showers.stack import check_room, new_stack, push
from hepflows.generators.showers.tables import between, locate, tables

NEUTRAL_PION_MASS = 134.977
# Interaction lengths of pions in lead and argon (Particle Data Group).
_LENGTHS = (199.3, 1067.0)
_RADIATION_LENGTHS = tuple(10 * material.radiation_length / material.density for material in MATERIALS)
_END = 5.0
_NO_COLLISION = 999.0


def pion_showers(energies, generator):
    """Toy showers of pi+ of kinetic energies [MeV] that enter at x = y = 0 along z.

    Returns the energies deposited (events, 507) in MeV, as `simulate.electromagnetic_showers`, and the depth z [mm] of
    the first nuclear collision (events,), 999 without one.
    """
    state = random_numbers.state(generator)
    return _showers(checked_energies(energies), new_stack(), new_stack(), pion_tables(), tables(), state)


@compiled
def _showers(energies, hadrons, stack, pions, tables, state):
    deposits = np.zeros((len(energies), TOTAL_CELLS))
    depths = np.full(len(energies), _NO_COLLISION)
    for event in range(len(energies)):
        count = push(hadrons, 0, 1.0, energies[event], 0.0, 0.0, -HALF_DEPTH + 1e-6, (0.0, 0.0, 1.0))
        while count > 0:
            check_room(hadrons, count)
            count, depth = _follow_pion(hadrons, count - 1, stack, deposits[event], pions, tables, state)
            if depths[event] == _NO_COLLISION:
                depths[event] = depth
    return deposits, depths


@compiled
def _follow_pion(hadrons, count, stack, cells, pions, tables, state):
    kinetic = hadrons[count, 1]
    x, y, z = hadrons[count, 2], hadrons[count, 3], hadrons[count, 4]
    u, v, w = hadrons[count, 5], hadrons[count, 6], hadrons[count, 7]
    lengths_left = exponential(state)
    while inside(x, y, z):
        if kinetic < _END:
            cells[cell_index(x, y, z)] += kinetic
            break
        depth = depth_in_period(z)
        material = material_at(depth)
        node, part = locate(kinetic)
        loss = between(pions[material, node, 0], pions[material, node + 1, 0], part)
        rate = between(pions[material, node, 1], pions[material, node + 1, 1], part)
        step = min(sheet_boundary(depth, w), 10.0, 0.1 * kinetic / loss + 0.05)
        collides = step > lengths_left * _LENGTHS[material]
        if collides:
            step = lengths_left * _LENGTHS[material]
        lengths_left -= step / _LENGTHS[material]
        # Scattered before it flies: a track that starts on the edge of cells takes either side.
        squared = kinetic * (kinetic + 2.0 * PION_MASS)
        width = 13.6 * (kinetic + PION_MASS) / squared * np.sqrt(step / _RADIATION_LENGTHS[material])
        versine = min(width * width * exponential(state), 2.0)
        a, b = azimuth(state)
        u, v, w = rotate(u, v, w, 1.0 - versine, np.sqrt(versine * (2.0 - versine)), a, b)
        mean, variance = loss * step, STRAGGLING[material] * step
        deposit = min(gamma(state, mean * mean / variance) * variance / mean, kinetic)
        flight = uniform(state) * step
        cells[cell_index(x + flight * u, y + flight * v, z + flight * w)] += deposit
        kinetic -= deposit
        for _ in range(poisson(state, rate * step)):
            kinetic -= _knock_on(stack, cells, tables, state, kinetic, x, y, z, u, v, w)
        x += step * u
        y += step * v
        z += step * w
        if collides and inside(x, y, z):
            return _collide(hadrons, count, stack, cells, tables, state, kinetic, (x, y, z), (u, v, w)), z
    return count, _NO_COLLISION


@compiled
def _knock_on(stack, cells, tables, state, kinetic, x, y, z, u, v, w):
    gamma_factor = kinetic / PION_MASS + 1.0
    beta2 = 1.0 - 1.0 / gamma_factor**2
    ratio = ELECTRON_MASS / PION_MASS
    largest = 2.0 * ELECTRON_MASS * beta2 * gamma_factor**2 / (1.0 + 2.0 * gamma_factor * ratio + ratio * ratio)
    if largest <= KNOCK_ON_CUT:
        return 0.0
    energy = KNOCK_ON_CUT * largest / (largest - (largest - KNOCK_ON_CUT) * uniform(state))
    if uniform(state) > 1.0 - beta2 * energy / largest or energy > 0.5 * kinetic:
        return 0.0
    cosine = np.sqrt(energy * (largest + 2.0 * ELECTRON_MASS) / (largest * (energy + 2.0 * ELECTRON_MASS)))
    a, b = azimuth(state)
    direction = rotate(u, v, w, min(cosine, 1.0), np.sqrt(max(1.0 - cosine * cosine, 0.0)), a, b)
    cascade(stack, push(stack, 0, -1.0, energy, x, y, z, direction), cells, tables, state)
    return energy


@compiled
def _collide(hadrons, count, stack, cells, tables, state, kinetic, place, direction):
    x, y, z = place
    size = 1.0 if material_at(depth_in_period(z)) == 0 else 0.52
    energy = kinetic / 1000.0
    if energy < 0.4:
        nuclear = energy
    else:
        nuclear = min(size * (1.0 - np.exp(-energy / 3.0)) * gamma(state, 3.0) / 3.0, 0.6 * energy)
    cells[cell_index(x, y, z)] += 1000.0 * nuclear * (0.2 + 0.2 * uniform(state))
    _spread_neutrons(cells, state, 1000.0 * nuclear * (0.25 + 0.15 * uniform(state)), x, y, z)
    energy -= nuclear
    if energy <= 0.3:
        cells[cell_index(x, y, z)] += 300.0 * energy
        return count
    secondaries = 2 + poisson(state, 0.6 + 1.6 * np.log(1.0 + energy))
    # Beta(1.2, 2.2) for the leading particle; the others share the rest.
    first, second = gamma(state, 1.2), gamma(state, 2.2)
    leading = first / (first + second)
    shares = np.empty(secondaries)
    for i in range(1, secondaries):
        shares[i] = gamma(state, 0.7)
    shares[1:] *= (1.0 - leading) / np.sum(shares[1:])
    shares[0] = leading
    for i in range(secondaries):
        total = 1000.0 * energy * shares[i]
        neutral = uniform(state) < (0.25 if i == 0 else 0.36)
        mass = NEUTRAL_PION_MASS if neutral else PION_MASS
        if total - mass < _END:
            cells[cell_index(x, y, z)] += total if neutral else max(total - mass, 0.0)
            continue
        momentum = np.sqrt(total * total - mass * mass)
        sine = min(170.0 * gamma(state, 2.0) / momentum, 1.0)
        cosine = np.sqrt(1.0 - sine * sine)
        if not neutral and momentum < 300.0 and uniform(state) < 0.3:
            cosine = -cosine
        a, b = azimuth(state)
        u, v, w = rotate(direction[0], direction[1], direction[2], cosine, sine, a, b)
        if neutral:
            _decay_neutral_pion(stack, cells, tables, state, total, momentum, x, y, z, u, v, w)
        else:
            count = push(hadrons, count, 1.0, total - mass, x, y, z, (u, v, w))
    return count


@compiled
def _spread_neutrons(cells, state, energy, x, y, z):
    neutrons = 1 + int(energy / 4.0)
    for _ in range(neutrons):
        u, v, w = isotropic(state)
        distance = 60.0 * gamma(state, 2.0)
        deposit = energy / neutrons * exponential(state)
        if inside(x + distance * u, y + distance * v, z + distance * w):
            cells[cell_index(x + distance * u, y + distance * v, z + distance * w)] += deposit


@compiled
def _decay_neutral_pion(stack, cells, tables, state, total, momentum, x, y, z, u, v, w):
    # Isotropic in the rest frame; `cosine` is that of the first photon there.
    cosine = 2.0 * uniform(state) - 1.0
    beta = momentum / total
    a, b = azimuth(state)
    count = 0
    for sign in (1.0, -1.0):
        seen = (sign * cosine + beta) / (1.0 + beta * sign * cosine)
        direction = rotate(u, v, w, seen, np.sqrt(max(1.0 - seen * seen, 0.0)), sign * a, sign * b)
        count = push(stack, count, 0.0, 0.5 * (total + sign * momentum * cosine), x, y, z, direction)
    cascade(stack, count, cells, tables, state)
