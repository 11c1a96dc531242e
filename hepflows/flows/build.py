"""Three functions that build the flows of the lectures; each returns an nflows Flow."""

import torch
from nflows.transforms import InverseTransform

from hepflows.errors import DataError, InputError
from hepflows.flows.affine import Affine
from hepflows.flows.autoregressive import MaskedAutoregressive
from hepflows.flows.base import StandardNormal, UniformBox
from hepflows.flows.coupling import Coupling
from hepflows.flows.flow import Flow, read_file
from hepflows.flows.linear import LearnableLinear, SoftPermutation, random_permutation, reversal
from hepflows.flows.marginals import NormalMarginals
from hepflows.flows.splines import CircularSpline, RationalQuadraticSpline, UnitSpline

DOMAINS = ("real", "unit", "circle")
PERMUTATIONS = ("reverse", "random", "learnable", "soft", "none")


def coupling_flow(
    features,
    context=0,
    transforms=6,
    spline=8,
    tail_bound=5.0,
    hidden=(64, 64),
    permutation="random",
    domain="real",
    marginals=None,
    seed=0,
):
    """Flow of coupling transforms (arXiv:1410.8516): density and sampling equally fast, one pass each.

    `features`: dimensions of x; `context`: dimensions of the condition y; `transforms`: number of layers; `spline`:
    bins of a rational-quadratic spline (arXiv:1906.04032), or None for affine layers; `tail_bound`: the spline acts
    between -tail_bound and tail_bound; `hidden`: units of each hidden layer of the conditioner; `permutation` between
    the layers: "reverse", "random" (with `seed`), "learnable" (linear), "soft" (learnable rotation of the unit box,
    before the first layer too) or "none"; `domain` of x: "real" (normal latent density), "unit" (the box [0, 1]^D) or
    "circle" (angles in [-pi, pi]), both with a uniform latent density; `marginals`: knots of a spline that first makes
    each feature normal by itself (`NormalMarginals`, set by `standardise_from`), or None. Raises InputError for bad
    arguments.
    """
    return _build("coupling_flow", locals())


def autoregressive_flow(
    features,
    context=0,
    transforms=4,
    spline=8,
    tail_bound=5.0,
    hidden=(64, 64),
    permutation="reverse",
    domain="real",
    marginals=None,
    seed=0,
):
    """Masked autoregressive flow (MAF, arXiv:1705.07057): density in one pass, sampling feature by feature.

    Arguments as in `coupling_flow`.
    """
    return _build("autoregressive_flow", locals())


def inverse_autoregressive_flow(
    features,
    context=0,
    transforms=4,
    spline=8,
    tail_bound=5.0,
    hidden=(64, 64),
    permutation="reverse",
    domain="real",
    marginals=None,
    seed=0,
):
    """Inverse autoregressive flow (IAF, arXiv:1606.04934): sampling in one pass, density feature by feature.

    Arguments as in `coupling_flow`.
    """
    return _build("inverse_autoregressive_flow", locals())


def load(path, flow=None, device="cpu"):
    """Rebuild the flow that `flows.save` wrote, or fill `flow`, which must have the file's architecture.

    Raises DataError for an unreadable file and InputError, naming the arguments that differ, for another architecture.
    """
    name, arguments, state = read_file(path, device)
    arguments = {"marginals": None, **arguments}  # a file can be older than this argument
    if name not in _LAYERS:
        raise DataError(f"path: expected a flow built by one of {', '.join(_LAYERS)}, got {name!r}")
    if flow is None:
        flow = _build(name, arguments)
    elif flow.recipe != (name, arguments):
        own_name, own = flow.recipe
        differences = [
            f"{key}={value} in the file, {own.get(key)} here"
            for key, value in arguments.items()
            if own.get(key) != value
        ]
        if own_name != name:
            differences.insert(0, f"{name} in the file, {own_name} here")
        raise InputError(f"flow: expected the architecture of {path}: {'; '.join(differences)}")
    flow.load_state_dict(state)
    return flow.to(device).eval()


def _coupling(element, *, features, context, hidden):
    return Coupling(features, element, context, hidden)


def _masked_autoregressive(element, *, features, context, hidden):
    return MaskedAutoregressive(features, element, context, hidden)


def _inverse_autoregressive(element, *, features, context, hidden):
    return InverseTransform(MaskedAutoregressive(features, element, context, hidden))


_LAYERS = {
    "coupling_flow": _coupling,
    "autoregressive_flow": _masked_autoregressive,
    "inverse_autoregressive_flow": _inverse_autoregressive,
}


def _build(name, arguments):
    arguments = {**arguments, "hidden": list(arguments["hidden"])}
    _check(arguments)
    features, context, hidden = (arguments[key] for key in ("features", "context", "hidden"))
    element, base = _element_and_base(arguments)
    generator = torch.Generator().manual_seed(arguments["seed"])
    layers = []
    for number in range(arguments["transforms"]):
        if (number > 0 or arguments["permutation"] == "soft") and arguments["permutation"] != "none":
            layers.append(_permutation(arguments["permutation"], features, generator, name == "coupling_flow"))
        layers.append(_LAYERS[name](element, features=features, context=context, hidden=hidden))
    if arguments["marginals"] is not None:
        layers.insert(0, NormalMarginals(features, arguments["marginals"]))
    return Flow(layers, base, features, context, (name, arguments))


def _element_and_base(arguments):
    features, bins, domain = (arguments[key] for key in ("features", "spline", "domain"))
    if domain == "real":
        element = Affine() if bins is None else RationalQuadraticSpline(bins, arguments["tail_bound"])
        return element, StandardNormal(features)
    element = UnitSpline(bins) if domain == "unit" else CircularSpline(bins)
    return element, UniformBox(features, element.box.low, element.box.high)


def _permutation(kind, features, generator, coupling):
    if kind == "reverse" or features == 1:
        return reversal(features)
    if kind == "random":
        return random_permutation(features, generator, kept=features // 2 if coupling else 0)
    if kind == "soft":
        return SoftPermutation(features, generator)
    return LearnableLinear(features, generator)


def _check(arguments):
    lowest = {"features": 1, "context": 0, "transforms": 1}
    for key, bound in lowest.items():
        value = arguments[key]
        if isinstance(value, bool) or not isinstance(value, int) or value < bound:
            raise InputError(f"{key}: expected an integer of at least {bound}, got {value!r}")
    hidden = arguments["hidden"]
    if not hidden or not all(isinstance(units, int) and units > 0 for units in hidden):
        raise InputError(f"hidden: expected one or more positive integers, got {hidden!r}")
    if arguments["permutation"] not in PERMUTATIONS:
        raise InputError(f"permutation: expected one of {', '.join(PERMUTATIONS)}, got {arguments['permutation']!r}")
    if arguments["domain"] not in DOMAINS:
        raise InputError(f"domain: expected one of {', '.join(DOMAINS)}, got {arguments['domain']!r}")
    if arguments["permutation"] == "soft" and arguments["domain"] != "unit":
        raise InputError(f"permutation: expected 'soft' on the domain 'unit' only, got {arguments['domain']!r}")
    if arguments["domain"] != "real":
        if arguments["marginals"] is not None:
            raise InputError(
                f"marginals: expected None on the domain {arguments['domain']!r}, got {arguments['marginals']!r}"
            )
        if arguments["spline"] is None:
            raise InputError(f"spline: expected a number of bins on the domain {arguments['domain']!r}, got None")
        if arguments["permutation"] == "learnable":
            raise InputError(
                f"permutation: expected one that stays within the domain {arguments['domain']!r}, got 'learnable'"
            )
