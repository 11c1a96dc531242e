"""The process in which Sherpa runs: `python sherpa_process.py SEED EVENTS` beside a Sherpa.yaml.

Writes events.npy, a float64 array (events, 8, 5): PDG number, E, px, py, pz (GeV) of two incoming partons (the first
one moves along +z), two outgoing quarks, two charged leptons and their neutrinos, in the order of the leptons. With
EVENTS 0 it integrates the cross section and writes no events.
"""

import ctypes
import os
import signal
import sys

import numpy as np

PR_SET_PDEATHSIG = 1


def end_with_parent():
    """Let the system end this process when its parent dies: Sherpa's library calls would not notice (Linux)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1:
        sys.exit(1)


def particle(entry):
    """(PDG number, E, px, py, pz) of a particle of Sherpa's event record."""
    flavour, momentum = entry.Flav(), entry.Momentum()
    return [flavour.Kfcode() * (-1 if flavour.IsAnti() else 1), *(momentum[component] for component in range(4))]


def partons(blobs):
    """The eight particles of an event W W j j in which each W decays to a charged lepton and its neutrino."""
    incoming, quarks, leptons, neutrinos = [], [], [], []
    for number in range(blobs.size()):
        blob = blobs[number]
        before = [particle(blob.InPart(k)) for k in range(blob.NInP())]
        after = [particle(blob.OutPart(k)) for k in range(blob.NOutP())]
        if len(before) == 2 and len(after) == 4:
            incoming = sorted(before, key=lambda entry: -entry[4])
            quarks = [entry for entry in after if abs(entry[0]) <= 6]
        elif len(before) == 1 and abs(before[0][0]) == 24:
            leptons += [entry for entry in after if abs(entry[0]) in (11, 13)]
            neutrinos += [entry for entry in after if abs(entry[0]) in (12, 14)]
    event = incoming + quarks + leptons + neutrinos
    if [len(group) for group in (incoming, quarks, leptons, neutrinos)] != [2, 2, 2, 2]:
        raise RuntimeError(f"expected an event with two quarks and two leptonic W decays, got {event}")
    return event


def main(seed, events):
    import Sherpa

    generator = Sherpa.Sherpa(4, ["Sherpa", "-f", "Sherpa.yaml", f"RANDOM_SEED: {seed}"])
    generator.InitializeTheRun()
    generator.InitializeTheEventHandler()
    if events:
        record = []
        while len(record) < events:
            if generator.GenerateOneEvent():
                record.append(partons(generator.GetBlobList()))
        np.save("events.npy", np.array(record))
    # Sherpa's clean-up at the end of a run reports to standard output and is not needed.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    end_with_parent()
    main(int(sys.argv[1]), int(sys.argv[2]))
