"""Data set showers_eplus: positrons in the calorimeter of CaloGAN, by our own Monte Carlo (notebook 08)."""

from hepflows.generators.showers.recipes import make_recipe


def deposits(energies, generator):
    # Imported here: the recipe's columns can be read without numba.
    from hepflows.generators.showers.simulate import electromagnetic_showers

    return electromagnetic_showers("e+", energies, generator)[0]


RECIPE = make_recipe("showers_eplus", 1, deposits)
