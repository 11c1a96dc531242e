"""Physics that the notebooks share: kinematics, phase space, amplitudes, parton densities, and integrands of them."""
