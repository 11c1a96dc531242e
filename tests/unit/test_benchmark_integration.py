"""The benchmark of the integrators: each gets the same evaluations, and a stopped run goes on."""

import json

import pytest
import torch

from benchmarks import integration
from hepflows import integrands

CASE = {"small": lambda: (integrands.camel(2), 2, 20_000)}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(integration, "CASES", CASE)
    monkeypatch.setattr(integration, "POINTS", 3000)


@pytest.mark.parametrize("method", integration.METHODS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_method_integrates_with_its_evaluations_and_no_more(method, monkeypatch):
    if method == "madnis":
        pytest.importorskip("madnis")
    counts = []

    class Watched(integration.Counted):
        def __call__(self, x):
            values = super().__call__(x)
            if self.limit is not None:
                counts.append(self.count)
            return values

    monkeypatch.setattr(integration, "Counted", Watched)
    row = integration.measure("small", method, seed=1)
    assert 0.9 * 20_000 < counts[-1] <= 1.01 * 20_000
    exact = integrands.camel(2).integral
    assert abs(row["value"] - exact) < 6 * row["error"] and row["error"] / exact < 0.02
    assert 0 < row["efficiency_a"] <= row["efficiency_b"] <= 1.01


def test_too_many_evaluations_stop_the_method():
    counted = integration.Counted(integrands.camel(2), 10)
    with pytest.raises(RuntimeError, match="12 evaluations, 10 were allowed"):
        counted(torch.rand(12, 2))


def test_a_stopped_run_goes_on_where_it_stopped(monkeypatch, tmp_path):
    measured = []

    def measure(name, method, seed):
        if len(measured) == 2:
            raise KeyboardInterrupt
        measured.append((name, method, seed))
        return dict(integrand=name, method=method, seed=seed, value=1.0, error=0.1 * seed, evaluations=1) | dict(
            efficiency_a=0.5, efficiency_b=0.6, seconds=1.0
        )

    monkeypatch.setattr(integration, "measure", measure)
    arguments = (["small"], ["hepflows", "vegas"], [1, 2], tmp_path / "rows.json")
    with pytest.raises(KeyboardInterrupt):
        integration.run(*arguments)
    first = measured.copy()
    assert len(json.loads(arguments[-1].read_text())["rows"]) == 2
    measured.clear()
    rows = integration.run(*arguments)
    assert len(rows) == 4 and not set(first) & set(measured)
    assert "0.15" not in integration.summary(rows) and "1.50e-01" in integration.summary(rows)
