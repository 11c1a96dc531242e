"""A student that belongs to a teacher, and the ways through both, layer by layer, that distillation compares."""

from __future__ import annotations

import torch
from nflows.transforms import InverseTransform, Permutation

from hepflows.errors import InputError
from hepflows.flows import inverse_autoregressive_flow
from hepflows.flows.bins import UNIT_SLOPE
from hepflows.flows.linear import Standardise
from hepflows.flows.splines import RationalQuadraticSpline


def student_of(teacher: torch.nn.Module) -> torch.nn.Module:
    """An inverse autoregressive flow with the teacher's architecture, permutations and standardisation, to be trained.

    It begins with the teacher's networks and the mirror images of its splines, as if z_1 .. z_i-1 were x_1 .. x_i-1:
    wrong, but a far better start than the identity. Raises InputError for a teacher that was not built by
    `autoregressive_flow` on the real line.
    """
    name, arguments = getattr(teacher, "recipe", (type(teacher).__name__, {}))
    if name != "autoregressive_flow" or arguments["domain"] != "real":
        raise InputError(f"teacher: expected an autoregressive_flow on the real line, got {name} {arguments}")
    student = inverse_autoregressive_flow(**arguments).to(next(teacher.parameters()).device)
    student.layers[0].load_state_dict(teacher.layers[0].state_dict())
    if teacher.context_features:
        student._embedding_net.load_state_dict(teacher._embedding_net.state_dict())
    for ours, theirs in zip(teacher.layers, student.layers, strict=True):
        if isinstance(theirs, InverseTransform):
            network = theirs._transform.network
            network.load_state_dict(ours.network.state_dict())
            if isinstance(ours.element, RationalQuadraticSpline):
                _mirror(network)
    return student


@torch.no_grad()
def _mirror(network):
    """Let a network give splines with the knots of the inverse: widths become heights, slopes d about 1/d."""
    bins, features = network.element.bins, network.features
    for parameter, unit_slope in ((network.output.weight, 0.0), (network.output.bias, UNIT_SLOPE)):
        widths, heights, slopes = parameter.split([bins * features, bins * features, (bins - 1) * features])
        parameter.copy_(torch.cat((heights, widths, 2 * unit_slope - slopes)))


def blocks_of(teacher, student):
    """Pairs (layer of the teacher, layer of the student) in the direction x -> z, without the standardisation."""
    pairs = list(zip(teacher.layers, student.layers, strict=False))
    fits = len(teacher.layers) == len(student.layers)
    for ours, theirs in pairs:
        if isinstance(ours, Permutation):
            fits &= isinstance(theirs, Permutation) and torch.equal(ours._permutation, theirs._permutation)
        elif isinstance(ours, Standardise):
            fits &= isinstance(theirs, Standardise) and torch.equal(ours.mean, theirs.mean)
        else:
            fits &= isinstance(theirs, InverseTransform) and type(theirs._transform) is type(ours)
    if not fits:
        raise InputError("student: expected student_of(teacher), got a flow with other layers")
    return pairs[1:]


class Way(list):
    """Points that a flow passes on the way from x to z, and the sum of the log-derivatives of x -> z."""

    def __init__(self, points=(), logabsdet=0.0):
        super().__init__(points)
        self.logabsdet = logabsdet

    def split(self, events):
        """The ways of the first `events` and of the others."""
        return tuple(
            Way([p[rows] for p in self], self.logabsdet[rows]) for rows in (slice(events), slice(events, None))
        )


def teacher_way(blocks, x, context):
    """From x to z through the teacher; one pass a layer."""
    way = Way([x])
    for layer, _ in blocks:
        z, logabsdet = layer(way[-1], context)
        way.append(z)
        way.logabsdet = way.logabsdet + logabsdet
    return way


def student_way(blocks, z, context):
    """From z to x through the student, one pass a layer; listed from x to z."""
    way = Way([z])
    for _, layer in reversed(blocks):
        x, logabsdet = layer.inverse(way[-1], context)
        way.append(x)
        way.logabsdet = way.logabsdet - logabsdet
    way.reverse()
    return way


def distance(one, other):
    """Squared differences of all points of two ways, mean over the events."""
    return sum((a - b).square().sum() for a, b in zip(one, other, strict=True)) / len(one[0])


def divergence(of_student, of_teacher):
    """KL(student || teacher) = <log q(x) - log p(x)> in nats, of ways that begin at the student's noise."""
    log_q = of_student.logabsdet - of_student[-1].square().sum(1) / 2
    log_p = of_teacher.logabsdet - of_teacher[-1].square().sum(1) / 2
    return (log_q - log_p).mean()
