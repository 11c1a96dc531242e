"""Colour sums of QCD with three colours, exactly, from the Gell-Mann matrices; Tr(T^a T^b) = delta^ab."""

import functools
import itertools

import torch

COLOURS, GLUONS = 3, 8


@functools.cache
def generators():
    """T^a: complex (8, 3, 3), the Gell-Mann matrices over sqrt 2."""
    matrices = torch.zeros(GLUONS, COLOURS, COLOURS, dtype=torch.complex128)
    for number, (i, j) in {0: (0, 1), 3: (0, 2), 5: (1, 2)}.items():
        matrices[number, i, j] = matrices[number, j, i] = 1
        matrices[number + 1, i, j], matrices[number + 1, j, i] = -1j, 1j
    matrices[2] = torch.diag(torch.tensor([1.0, -1.0, 0.0]))
    matrices[7] = torch.diag(torch.tensor([1.0, 1.0, -2.0])) / 3**0.5
    return matrices / 2**0.5


def _chain(ordering):
    """(T^{s1} T^{s2} ...)_{ij}: (8, ..., 8, 3, 3), where the colour of gluon k is on axis k."""
    n = len(ordering)
    product = torch.eye(COLOURS, dtype=torch.complex128).reshape(*[1] * n, COLOURS, COLOURS)
    for gluon in ordering:
        shape = [1] * n
        shape[gluon] = GLUONS
        product = product @ generators().reshape(*shape, COLOURS, COLOURS)
    return product


def _contract(structures):
    rows = torch.stack([structure.reshape(-1) for structure in structures])
    return (rows @ rows.conj().T).real


@functools.cache
def quark_line_matrix(gluons):
    """C_st = sum over colours of (T^{s1} .. T^{sn})_ij (T^{t1} .. T^{tn})_ij^*, (n!, n!), float64.

    Rows and columns are the permutations of range(n) in the order of `itertools.permutations`.
    """
    return _contract([_chain(ordering) for ordering in itertools.permutations(range(gluons))])


@functools.cache
def trace_matrix(gluons):
    """C_st for Tr(T^{s1} .. T^{s(n-1)} T^n): ((n-1)!, (n-1)!), orderings of the first n - 1 gluons."""
    structures = []
    for ordering in itertools.permutations(range(gluons - 1)):
        structures.append(torch.einsum("...ij,aji->...a", _chain(ordering), generators()))
    return _contract(structures)


@functools.cache
def four_quark_matrix():
    """Colour sums of T^a_ij T^a_kl (first) and T^a_kj T^a_il (second, antiquarks exchanged): (2, 2), float64."""
    direct = torch.einsum("aij,akl->ijkl", generators(), generators())
    return _contract([direct, torch.einsum("akj,ail->ijkl", generators(), generators())])


def colour_sum(amplitudes, matrix):
    """sum over s, t of A_s C_st A_t^*, real, for amplitudes (orderings, ...) and a real symmetric matrix."""
    matrix = matrix.to(amplitudes.real)
    if len(matrix) == 1:
        return matrix[0, 0] * (amplitudes[0].real ** 2 + amplitudes[0].imag ** 2)
    # A real symmetric matrix acts on real and imaginary parts alike: one real product.
    parts = torch.view_as_real(amplitudes).flatten(1)
    return ((matrix @ parts) * parts).sum(0).reshape(*amplitudes.shape[1:], 2).sum(-1)
