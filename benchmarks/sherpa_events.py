"""The process in which Sherpa draws weighted events: `python sherpa_events.py EVENTS` beside a Sherpa.yaml.

It may run in another Python than the benchmark, so it imports nothing else. Sherpa writes the events to the file that
the run card names.
"""

import sys


def main(events):
    import Sherpa

    generator = Sherpa.Sherpa(3, ["Sherpa", "-f", "Sherpa.yaml"])
    generator.InitializeTheRun()
    generator.InitializeTheEventHandler()
    drawn = 0
    while drawn < events:
        drawn += bool(generator.GenerateOneEvent())
    generator.SummarizeRun()


if __name__ == "__main__":
    main(int(sys.argv[1]))
