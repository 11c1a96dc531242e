"""Generators of the course's data sets; they need the optional packages of `hepflows[simulate]`."""

from importlib import import_module

from hepflows.errors import InputError
from hepflows.generators import engine

# The module of each recipe: imported on use, so that everything else works without the generators' packages.
_MODULES = {
    "dijets_background": "hepflows.generators.dijets_background",
    "dijets_signal": "hepflows.generators.dijets_signal",
    "dijets_signal_region": "hepflows.generators.dijets_signal_region",
    "gluon_momenta": "hepflows.generators.gluon_momenta",
    "pdf_grid": "hepflows.generators.pdf_grid",
    "showers_eplus": "hepflows.generators.showers.eplus",
    "showers_gamma": "hepflows.generators.showers.gamma",
    "showers_piplus": "hepflows.generators.showers.piplus",
    "vbs_neutrinos": "hepflows.generators.vbs_neutrinos",
    "vbs_partons": "hepflows.generators.vbs_partons",
}


def names():
    """Names of the data sets that can be generated."""
    return list(_MODULES)


def recipe(name):
    """The recipe of a data set; raises InputError for an unknown name."""
    if name not in _MODULES:
        raise InputError(f"name: expected one of {', '.join(_MODULES)}, got {name!r}")
    return import_module(_MODULES[name]).RECIPE


def generate(name, *, events, workers=1, seed, out, progress=True, scheduler=None):
    """Generate a data set into the file `out`; see `hepflows.generators.engine.generate`."""
    return engine.generate(
        recipe(name), events=events, workers=workers, seed=seed, out=out, progress=progress, scheduler=scheduler
    )
