"""Generators of the course's data sets; they need the optional packages of `hepflows[simulate]`."""

from importlib import import_module

from hepflows.errors import InputError
from hepflows.generators import engine

# The module of each recipe: imported on use, so that everything else works without the generators' packages.
_MODULES = {"gluon_momenta": "hepflows.generators.gluon_momenta"}


def names():
    """Names of the data sets that can be generated."""
    return list(_MODULES)


def recipe(name):
    """The recipe of a data set; raises InputError for an unknown name."""
    if name not in _MODULES:
        raise InputError(f"name: expected one of {', '.join(_MODULES)}, got {name!r}")
    return import_module(_MODULES[name]).RECIPE


def generate(name, *, events, workers, seed, out, progress=True):
    """Generate a data set into the file `out`; see `hepflows.generators.engine.generate`."""
    chosen = recipe(name)
    return engine.generate(chosen, events=events, workers=workers, seed=seed, out=out, progress=progress)
