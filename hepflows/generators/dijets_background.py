"""QCD dijets, the background of notebook 09."""

from hepflows.generators import dijets

# The whole spectrum above 1 TeV: jets of 1.2 TeV come from partons of less by initial-state radiation and smearing.
QCD_SETTINGS = ("HardQCD:all = on", "PhaseSpace:pTHatMin = 1000.", "PartonLevel:MPI = off")
# GeV; two in a thousand of the selected events would come from below.
VETO_LEADING_PT = 1075.0

PROCESS = dijets.Process(QCD_SETTINGS, stream=1, veto_leading_pt=VETO_LEADING_PT)
RECIPE = dijets.recipe("dijets_background", PROCESS)
