"""Random numbers inside compiled code: the SFC64 generator, bit for bit that of numpy.random.SFC64.

numba's own generators cost five to ten times more a number, and random numbers are what a shower is made of.
"""

import numpy as np

from hepflows.generators.showers.compiled import compiled

_ELEVEN, _THREE, _TWENTY_FOUR, _FORTY, _ONE = (np.uint64(n) for n in (11, 3, 24, 40, 1))
_UNIT = 1.0 / 2**53


def state(generator):
    """State of an SFC64 generator (four 64-bit words) seeded from a numpy Generator."""
    seed = generator.integers(0, 2**63, size=4)
    return np.random.SFC64(np.random.SeedSequence(seed.tolist())).state["state"]["state"].copy()


@compiled
def uniform(state):
    """Uniform number in [0, 1); advances the state."""
    a, b, c, counter = state[0], state[1], state[2], state[3]
    word = a + b + counter
    state[0] = b ^ (b >> _ELEVEN)
    state[1] = c + (c << _THREE)
    state[2] = ((c << _TWENTY_FOUR) | (c >> _FORTY)) + word
    state[3] = counter + _ONE
    return np.float64(word >> _ELEVEN) * _UNIT


@compiled
def exponential(state):
    """Exponential number of mean 1."""
    return -np.log(1.0 - uniform(state))


@compiled
def azimuth(state):
    """Cosine and sine of a uniform angle: twice the angle of a point in the unit disc (von Neumann)."""
    while True:
        a = 2.0 * uniform(state) - 1.0
        b = 2.0 * uniform(state) - 1.0
        square = a * a + b * b
        if 1e-12 < square <= 1.0:
            scale = 1.0 / square
            return (a * a - b * b) * scale, 2.0 * a * b * scale


@compiled
def normal(state):
    """Standard normal number (Box and Muller)."""
    cosine, _ = azimuth(state)
    return np.sqrt(2.0 * exponential(state)) * cosine


@compiled
def gamma(state, shape):
    """Gamma number of a given shape and scale 1 (Marsaglia and Tsang, ACM TOMS 26 (2000) 363)."""
    boost = 1.0
    if shape < 1.0:
        boost = (1.0 - uniform(state)) ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / np.sqrt(9.0 * d)
    while True:
        x = normal(state)
        v = (1.0 + c * x) ** 3
        if v > 0.0 and np.log(1.0 - uniform(state)) < 0.5 * x * x + d - d * v + d * np.log(v):
            return boost * d * v


@compiled
def poisson(state, mean):
    """Poisson number: arrivals of a unit-rate process within `mean` (small means only)."""
    count = 0
    time = exponential(state)
    while time < mean:
        count += 1
        time += exponential(state)
    return count
