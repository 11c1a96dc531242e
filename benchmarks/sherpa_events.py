"""The process in which Sherpa draws weighted events: `python sherpa_events.py EVENTS` beside a Sherpa.yaml.

It may run in another Python than the benchmark, so it imports nothing else. Sherpa writes the file that the run card
names; the last line is the cross section that it integrated, and its error, in pb.
"""

import os
import sys


def main(events):
    import Sherpa

    generator = Sherpa.Sherpa(2, ["Sherpa", "-f", "Sherpa.yaml"])
    generator.InitializeTheRun()
    generator.InitializeTheEventHandler()
    drawn = 0
    while drawn < events:
        drawn += bool(generator.GenerateOneEvent())
    generator.SummarizeRun()
    print(f"\n{generator.TotalXS()} {generator.TotalErr()}", flush=True)
    os._exit(0)  # Sherpa's clean-up at the end of a run reports to standard output and is not needed


if __name__ == "__main__":
    main(int(sys.argv[1]))
