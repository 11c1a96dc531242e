"""Particle showers in the calorimeter of CaloGAN: our own Monte Carlo of e+ and photons, a toy of pi+, and GFlash.

Lengths in mm, energies in MeV inside this package; the data sets are in GeV. The generator is our own program: its
results stand beside those of Geant4, with the differences that the data cards name, and are never given as Geant4's.
"""
