"""Where a point lies in the calorimeter: sheet, material, cell (compiled)."""

from hepflows.generators.showers.compiled import compiled
from hepflows.generators.showers.layout import (
    CELLS,
    HALF_DEPTH,
    HALF_READOUT,
    HALF_WIDTH,
    LAYER_ENDS,
    LEAD_THICKNESS,
    PERIOD,
)


@compiled
def inside(x, y, z):
    """Whether a point lies in the calorimeter."""
    return -HALF_DEPTH < z < HALF_DEPTH and abs(x) < HALF_WIDTH and abs(y) < HALF_WIDTH


@compiled
def depth_in_period(z):
    """Depth within a pair of sheets [mm]: below 2 lead, above argon."""
    depth = z + HALF_DEPTH
    return depth - PERIOD * int(depth * (1.0 / PERIOD))


@compiled
def material_at(depth):
    """0 in lead, 1 in argon, at a depth within a pair of sheets."""
    return 0 if depth < LEAD_THICKNESS else 1


@compiled
def cell_index(x, y, z):
    """Cell that holds a point: 0-287, 288-431 and 432-503 by layer, or 504-506 outside of the readout."""
    layer = 0 if z < LAYER_ENDS[0] else (1 if z < LAYER_ENDS[1] else 2)
    if not (-HALF_READOUT < x < HALF_READOUT and -HALF_READOUT < y < HALF_READOUT):
        return CELLS + layer
    x += HALF_READOUT
    y += HALF_READOUT
    if layer == 0:
        return int(x / 160.0) * 96 + int(y / 5.0)
    if layer == 1:
        return 288 + int(x / 40.0) * 12 + int(y / 40.0)
    return 432 + int(x / 40.0) * 6 + int(y / 80.0)


@compiled
def sheet_boundary(depth, slope):
    """Distance [mm] from a depth within a pair of sheets, along a direction cosine in z, to just beyond the sheet."""
    if slope > 1e-9:
        return ((LEAD_THICKNESS if depth < LEAD_THICKNESS else PERIOD) - depth) / slope + 1e-6
    if slope < -1e-9:
        return (depth if depth < LEAD_THICKNESS else depth - LEAD_THICKNESS) / -slope + 1e-6
    return 1e9
