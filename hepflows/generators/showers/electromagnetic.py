"""The electromagnetic cascade: photons, electrons and positrons followed until they stop or leave.

A particle is a row of the stack: kind (0 photon, -1 electron, 1 positron), kinetic energy [MeV], position [mm],
direction. The last one is followed first, so the stack stays short. Every MeV ends in a cell or in what is lost.
"""

import numpy as np

from hepflows.generators.showers.compiled import compiled
from hepflows.generators.showers.cross_sections import ELECTRON_MASS, KNOCK_ON_CUTS, PHOTON_CUT
from hepflows.generators.showers.geometry import cell_index, depth_in_period, inside, material_at, sheet_boundary
from hepflows.generators.showers.photonuclear import absorb
from hepflows.generators.showers.random_numbers import azimuth, exponential, uniform
from hepflows.generators.showers.sampling import (
    annihilation_cosine,
    annihilation_fraction,
    bhabha_fraction,
    bremsstrahlung_energy,
    compton,
    deflection,
    isotropic,
    moller_fraction,
    pair_fraction,
    polar_angle,
    rotate,
    scattered_cosine,
)
from hepflows.generators.showers.stack import check_room, push
from hepflows.generators.showers.tables import between, locate

# Below, the energy stays where the particle is: a range of 0.3 mm in lead and 0.6 mm in argon, or a photon's 0.1 mm.
ELECTRON_ENDS = (0.7, 0.3)
PHOTON_END = 0.05
# Steps: at most 20 % of the energy, 0.8 transport lengths, and to the end of the sheet.
LOSS_IN_STEP, PATHS_IN_STEP = 0.2, 0.8


@compiled
def cascade(stack, count, cells, tables, state):
    """Follow the first `count` particles of the stack and all that they make; returns the energy not deposited [MeV].

    Adds to `cells`, in MeV. Counted as lost: what leaves the calorimeter and what separates nucleons from nuclei.
    """
    lost = 0.0
    while count > 0:
        check_room(stack, count)
        count -= 1
        if stack[count, 0] == 0.0:
            count, missing = _follow_photon(stack, count, cells, tables, state)
        else:
            count, missing = _follow_electron(stack, count, cells, tables, state)
        lost += missing
    return lost


@compiled
def _follow_photon(stack, count, cells, tables, state):
    energy, rates = stack[count, 1], tables.photon
    x, y, z = stack[count, 2], stack[count, 3], stack[count, 4]
    u, v, w = stack[count, 5], stack[count, 6], stack[count, 7]
    while energy >= PHOTON_END:
        node, part = locate(energy)
        majorant = between(tables.majorant[node], tables.majorant[node + 1], part)
        # Woodcock's method: fly in the denser material, and take interactions away again in the other.
        while True:
            flight = exponential(state) / majorant
            x += flight * u
            y += flight * v
            z += flight * w
            if not inside(x, y, z):
                return count, energy
            material = material_at(depth_in_period(z))
            rate = uniform(state) * majorant
            if rate < between(rates[material, node, 3], rates[material, node + 1, 3], part):
                break
        if rate < between(rates[material, node, 0], rates[material, node + 1, 0], part):
            share = pair_fraction(state, energy, material)
            a, b = azimuth(state)
            for sign in (-1.0, 1.0):
                total = (share if sign < 0 else 1.0 - share) * energy
                angle = polar_angle(state, total)
                direction = rotate(u, v, w, np.cos(angle), np.sin(angle), -sign * a, -sign * b)
                count = push(stack, count, sign, max(total - ELECTRON_MASS, 0.0), x, y, z, direction)
            return count, 0.0
        if rate < between(rates[material, node, 1], rates[material, node + 1, 1], part):
            share, versine = compton(state, energy)
            cosine, sine = 1.0 - versine, np.sqrt(max(versine * (2.0 - versine), 0.0))
            a, b = azimuth(state)
            recoil = (1.0 - share) * energy
            if recoil > ELECTRON_ENDS[material]:
                momentum = np.sqrt(recoil * (recoil + 2.0 * ELECTRON_MASS))
                recoil_cosine = min((energy - share * energy * cosine) / momentum, 1.0)
                recoil_sine = np.sqrt(1.0 - recoil_cosine * recoil_cosine)
                direction = rotate(u, v, w, recoil_cosine, recoil_sine, -a, -b)
                count = push(stack, count, -1.0, recoil, x, y, z, direction)
            else:
                cells[cell_index(x, y, z)] += recoil
            u, v, w = rotate(u, v, w, cosine, sine, a, b)
            energy *= share
        elif rate < between(rates[material, node, 2], rates[material, node + 1, 2], part):
            return push(stack, count, -1.0, energy, x, y, z, (u, v, w)), 0.0
        else:
            return absorb(stack, count, cells, state, energy, x, y, z)
    cells[cell_index(x, y, z)] += energy
    return count, 0.0


@compiled
def _follow_electron(stack, count, cells, tables, state):
    sign, kinetic = stack[count, 0], stack[count, 1]
    x, y, z = stack[count, 2], stack[count, 3], stack[count, 4]
    u, v, w = stack[count, 5], stack[count, 6], stack[count, 7]
    table = tables.electron[1 if sign > 0 else 0]
    rest_energy = 2.0 * ELECTRON_MASS if sign > 0 else 0.0
    lengths_left = exponential(state)
    while True:
        depth = depth_in_period(z)
        material = material_at(depth)
        if kinetic < ELECTRON_ENDS[material]:
            cells[cell_index(x, y, z)] += kinetic
            if sign > 0:
                direction = isotropic(state)
                opposite = (-direction[0], -direction[1], -direction[2])
                count = push(stack, count, 0.0, ELECTRON_MASS, x, y, z, direction)
                count = push(stack, count, 0.0, ELECTRON_MASS, x, y, z, opposite)
            return count, 0.0
        node, part = locate(kinetic)
        loss = between(table[material, node, 0], table[material, node + 1, 0], part)
        scattering = between(table[material, node, 1], table[material, node + 1, 1], part)
        rate = between(table[material, node, 4], table[material, node + 1, 4], part)
        step = min(LOSS_IN_STEP * kinetic / loss, PATHS_IN_STEP / scattering, sheet_boundary(depth, w))
        interacts = rate * step > lengths_left
        if interacts:
            step = lengths_left / rate
        lengths_left -= rate * step
        # Random hinge: fly, deposit and scatter at a random point of the step, fly on.
        flight = uniform(state) * step
        x += flight * u
        y += flight * v
        z += flight * w
        if not inside(x, y, z):
            return count, kinetic + rest_energy
        deposit = min(loss * step, kinetic)
        cells[cell_index(x, y, z)] += deposit
        kinetic -= deposit
        versine = deflection(state, step * scattering)
        a, b = azimuth(state)
        u, v, w = rotate(u, v, w, 1.0 - versine, np.sqrt(versine * (2.0 - versine)), a, b)
        flight = step - flight
        x += flight * u
        y += flight * v
        z += flight * w
        if not inside(x, y, z):
            return count, kinetic + rest_energy
        if interacts:
            lengths_left = exponential(state)
            draw = uniform(state) * rate
            if draw < between(table[material, node, 2], table[material, node + 1, 2], part):
                if kinetic > PHOTON_CUT:
                    photon = bremsstrahlung_energy(state, kinetic, material)
                    angle = polar_angle(state, kinetic + ELECTRON_MASS)
                    a, b = azimuth(state)
                    direction = rotate(u, v, w, np.cos(angle), np.sin(angle), a, b)
                    count = push(stack, count, 0.0, photon, x, y, z, direction)
                    kinetic -= photon
            elif draw < between(table[material, node, 3], table[material, node + 1, 3], part):
                cut = KNOCK_ON_CUTS[material]
                if cut < (kinetic if sign > 0 else 0.5 * kinetic):
                    count, kinetic, (u, v, w) = _knock_on(stack, count, state, sign, kinetic, cut, x, y, z, (u, v, w))
            else:
                return _annihilate_in_flight(stack, count, state, kinetic, x, y, z, (u, v, w)), 0.0


@compiled
def _knock_on(stack, count, state, sign, kinetic, cut, x, y, z, direction):
    u, v, w = direction
    share = bhabha_fraction(state, kinetic, cut) if sign > 0 else moller_fraction(state, kinetic, cut)
    a, b = azimuth(state)
    cosine = scattered_cosine(kinetic, share)
    struck = rotate(u, v, w, cosine, np.sqrt(1.0 - cosine * cosine), a, b)
    count = push(stack, count, -1.0, share * kinetic, x, y, z, struck)
    cosine = scattered_cosine(kinetic, 1.0 - share)
    return count, (1.0 - share) * kinetic, rotate(u, v, w, cosine, np.sqrt(1.0 - cosine * cosine), -a, -b)


@compiled
def _annihilate_in_flight(stack, count, state, kinetic, x, y, z, direction):
    u, v, w = direction
    share = annihilation_fraction(state, kinetic)
    a, b = azimuth(state)
    for first in (True, False):
        part = share if first else 1.0 - share
        cosine = annihilation_cosine(kinetic, part)
        side = 1.0 if first else -1.0
        photon = rotate(u, v, w, cosine, np.sqrt(1.0 - cosine * cosine), side * a, side * b)
        count = push(stack, count, 0.0, part * (kinetic + 2.0 * ELECTRON_MASS), x, y, z, photon)
    return count
