"""The benchmark of Sherpa, as far as it can be tested without it: its run card, and reading what it writes."""

import pytest
import yaml

from benchmarks import sherpa

EVENTS = """<LesHouchesEvents version="3.0">
<event trials='3'>
 5 1 +1.5000000e+02 9.1e+01 7.5e-03 1.1e-01
 2 -1 0 0 501 0 0.0 0.0 6.1e+02 6.1e+02 0.0 0. 9.
</event>
<event trials='1'>
 5 2 5.0e-01 9.1e+01 7.5e-03 1.1e-01
</event>
</LesHouchesEvents>
"""


@pytest.mark.parametrize("jets", [0, 1, 3])
def test_the_run_card_asks_for_as_many_jets_and_events(jets):
    card = yaml.safe_load(sherpa.run_card(jets, 500, seed=7))
    ((process, options),) = card["PROCESSES"][0].items()
    assert process.split(" -> ")[1].split() == ["-11", "12"] + ["93"] * jets
    assert options["Order"] == {"QCD": jets, "EW": 2}
    assert (card["EVENTS"], card["RANDOM_SEED"]) == (500, 7)
    finders = [selector["FastjetFinder"]["N"] for selector in card["SELECTORS"] if isinstance(selector, dict)]
    assert finders == ([jets] if jets else [])


def test_weights_and_trials_of_an_event_file():
    weights, trials = sherpa.weights_and_trials(EVENTS)
    assert weights.tolist() == [150.0, 0.5] and trials.tolist() == [3, 1]
