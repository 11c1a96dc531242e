"""Physics that the notebooks share: kinematics, parton densities, phase space, amplitudes and integrands."""
