"""Data set showers_piplus: a toy of pi+ in the calorimeter of CaloGAN (notebook 08)."""

from hepflows.generators.showers.recipes import make_recipe


def deposits(energies, generator):
    # Imported here: the recipe's columns can be read without numba.
    from hepflows.generators.showers.hadronic import pion_showers

    return pion_showers(energies, generator)[0]


RECIPE = make_recipe("showers_piplus", 1, deposits)
