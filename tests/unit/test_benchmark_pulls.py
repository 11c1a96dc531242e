"""The benchmark of the integrator's errors: it goes on where it stopped, and what is stored shows honest errors."""

import json
import math

import numpy as np
import pytest

from benchmarks import pulls
from hepflows import integrands
from hepflows.provenance import REPOSITORY

STORED = REPOSITORY / "results" / "benchmarks" / "pulls.json"


def test_a_stopped_run_goes_on_where_it_stopped(monkeypatch, tmp_path):
    problem = integrands.gaussian(2)
    monkeypatch.setattr(pulls, "CASES", {"small": lambda: (problem, problem.integral, 8000)})
    out = tmp_path / "pulls.json"
    first = pulls.run(["small"], 1, out)
    rows = pulls.run(["small"], 2, out)
    assert rows[0] == first[0] and [row["seed"] for row in rows] == [1, 2]
    assert json.loads(out.read_text())["rows"] == rows
    for row in rows:
        assert row["pull"] == pytest.approx((row["value"] - row["exact"]) / row["error"])
        assert abs(row["pull"]) < 5
    assert "small      2 pulls: mean" in pulls.summary(rows)


@pytest.mark.parametrize("name", pulls.CASES)
def test_stored_errors_are_honest(name):
    """Width 0.8 to 1.2, which 50 honest pulls miss one time in 20, and no bias beyond three standard errors."""
    found = np.array([row["pull"] for row in json.loads(STORED.read_text())["rows"] if row["integrand"] == name])
    assert len(found) >= 50
    assert 0.8 < found.std(ddof=1) < 1.2
    assert abs(found.mean()) < 3 / math.sqrt(len(found))
