"""QCD dijets in the signal region alone: a template of what the background is there (notebook 09)."""

from hepflows.generators import dijets
from hepflows.generators.dijets_background import QCD_SETTINGS, VETO_LEADING_PT

# No cut on the mass of the hard process: of the events in the signal region, 7 % come from below 2.8 TeV, where a jet
# of initial-state radiation is one of the two hardest. The mass of the parton jets follows that of the jets.
VETO_MASS_RANGE = (2800.0, 4300.0)  # GeV

PROCESS = dijets.Process(
    QCD_SETTINGS,
    stream=3,
    veto_leading_pt=VETO_LEADING_PT,
    veto_mass_range=VETO_MASS_RANGE,
    mass_range=dijets.SIGNAL_REGION,
)
RECIPE = dijets.recipe("dijets_signal_region", PROCESS)
