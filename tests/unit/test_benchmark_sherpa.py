"""The benchmark of Sherpa, as far as it can be tested without it: its run card, and reading what it writes."""

import numpy as np
import pytest
import yaml

from benchmarks import sherpa
from hepflows.errors import InputError

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


def test_points_that_fail_the_cuts_count_in_the_cross_section(rng):
    """9 of 10 points fail: as if their weights, zero, stood among the others."""
    weights, trials = rng.exponential(size=2000), np.full(2000, 10.0)
    everything = np.append(weights, np.zeros(18_000))
    value, error = sherpa.cross_section(weights, trials)
    assert value == pytest.approx(everything.mean()) and error == pytest.approx(everything.std() / 20_000**0.5)


def test_an_interpreter_without_sherpa_is_named(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho\n")
    python.chmod(0o755)
    with pytest.raises(InputError, match="python: expected an interpreter with sherpa-mc .*, got .*python"):
        sherpa.site_of(str(python))
