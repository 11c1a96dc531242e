"""Particles that wait to be followed."""

import numpy as np

from hepflows.generators.showers.compiled import compiled

ROWS = 20_000
# A particle of 200 GeV makes some hundred others before it ends.
MOST_SECONDARIES = 5_000


def new_stack():
    """An empty stack: kind, kinetic energy [MeV], x, y, z [mm], direction cosines."""
    return np.zeros((ROWS, 8))


@compiled
def push(stack, count, kind, kinetic, x, y, z, direction):
    """Add a particle; returns the new count. `cascade` sees to it that there is room."""
    # Element by element: a view of the row would be counted and freed, in the innermost loop.
    stack[count, 0] = kind
    stack[count, 1] = kinetic
    stack[count, 2] = x
    stack[count, 3] = y
    stack[count, 4] = z
    stack[count, 5], stack[count, 6], stack[count, 7] = direction
    return count + 1


@compiled
def check_room(stack, count):
    """Raise MemoryError unless the stack has room for all that one particle can make: nothing else checks."""
    if count > len(stack) - MOST_SECONDARIES:
        raise MemoryError("stack of particles: expected fewer at a time")
