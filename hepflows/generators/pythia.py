"""Pythia 8 with a fixed seed, read out in batches of arrays (arXiv:2203.11601)."""

import pythia8mc

QUIET = ("Print:quiet = on", "Next:numberCount = 0")
PROTON_COLLISIONS = ("Beams:idA = 2212", "Beams:idB = 2212", "Beams:eCM = 13000.")  # GeV


def make_pythia(settings, seed):
    """Initialised Pythia for pp collisions at 13 TeV; `settings`: lines of its own language; seed: 1 to 900,000,000."""
    pythia = pythia8mc.Pythia("", False)
    for line in (*QUIET, *PROTON_COLLISIONS, "Random:setSeed = on", f"Random:seed = {seed}", *settings):
        if not pythia.readString(line):
            raise ValueError(f"Pythia does not know the setting {line!r}")
    if not pythia.init():
        raise RuntimeError("Pythia failed to initialise")
    return pythia


def batches(pythia, events, batch_events):
    """Yield awkward arrays of events (fields prt, info); a batch bounds the memory, about 0.4 MB an event."""
    for start in range(0, events, batch_events):
        yield pythia.nextBatch(min(batch_events, events - start))
