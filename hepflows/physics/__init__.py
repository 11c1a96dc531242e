"""Physics that the notebooks share: kinematics, later phase space, amplitudes and parton densities."""
