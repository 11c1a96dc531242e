"""Physics that the notebooks share: kinematics, phase space, amplitudes, parton densities and the integrands made of them."""
