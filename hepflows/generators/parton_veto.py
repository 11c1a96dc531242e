"""Give up an event early in its shower, when its jets are far from what is selected later."""

import pythia8mc

from hepflows.generators.detector import TRACKER_ABS_ETA

ANTI_KT = -1
VISIBLE, TRUE_MASSES = 2, 2


class PartonVeto(pythia8mc.UserHooks):
    """Pythia hook: drops the events whose parton jets have too small a pT or too far a mass (GeV).

    Looks at the anti-kT jets of the partons when the shower has come down to pT = 20 GeV, after a twentieth of the time
    that an event takes. What is softer, hadronisation and the detector move jets by a few per cent, so cuts well below
    the selection's lose next to nothing of it; how much is measured in the tests. `tried` counts all events.
    """

    SHOWER_SCALE = 20.0  # GeV
    JET_MINIMAL_PT = 100.0  # GeV

    def __init__(self, *, radius, leading_pt, mass_range=None):
        super().__init__()
        self.leading_pt, self.mass_range = leading_pt, mass_range
        self.tried = 0
        self._jets = pythia8mc.SlowJet(ANTI_KT, radius, self.JET_MINIMAL_PT, TRACKER_ABS_ETA, VISIBLE, TRUE_MASSES)

    def canVetoPT(self):
        return True

    def scaleVetoPT(self):
        return self.SHOWER_SCALE

    def doVetoPT(self, _position, event):
        self.tried += 1
        leading_pt, mass = self.jets(event)
        if leading_pt < self.leading_pt:
            return True
        return self.mass_range is not None and not self.mass_range[0] < mass < self.mass_range[1]

    def jets(self, event):
        """pT of the hardest parton jet and mass of the two hardest, GeV; 0 where there is none."""
        jets = self._jets
        jets.analyze(event)
        leading_pt = jets.pT(0) if jets.sizeJet() else 0.0
        return leading_pt, (jets.p(0) + jets.p(1)).mCalc() if jets.sizeJet() > 1 else 0.0
