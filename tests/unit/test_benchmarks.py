"""The benchmark measures what it says, and its page says what was measured."""

import pytest
import torch

from benchmarks import page, peers, timing
from benchmarks.amplitudes import PRECISIONS, contestants
from benchmarks.flows import check_agreement


def test_ratio_is_the_median_over_rounds():
    median, low, high = timing.ratio([2.0, 4.0, 9.0, 2.0, 4.0], [1.0, 2.0, 3.0, 1.0, 1.0])
    assert (median, low, high) == (2.0, 2.0, 3.0)


def test_contestants_take_turns():
    calls = []
    contestants = {name: lambda name=name: calls.append(name) for name in ("a", "b")}
    times = timing.interleaved(contestants, rounds=4, seconds=60)
    assert calls == ["a", "a", "b", "b"] + ["a", "b"] * 4
    assert {name: len(values) for name, values in times.items()} == {"a": 4, "b": 4}


@pytest.mark.parametrize("family", ["coupling", "autoregressive"])
@pytest.mark.filterwarnings("ignore:Inputs to the softmax")
def test_our_flow_with_nflows_weights_gives_its_numbers(family):
    torch.manual_seed(0)
    theirs = getattr(peers, f"nflows_{family}")(6, 0, 16, 3)
    ours = getattr(peers, f"hepflows_{family}")(theirs, 6, 0, 16)
    models = {"nflows": theirs, "hepflows": ours}
    check_agreement(models, torch.randn(300, 6), None, family)
    with torch.no_grad():
        ours.module.layers[1].network.output.bias.add_(0.01) if family == "autoregressive" else (
            ours.module.layers[1].conditioner.output.bias.add_(0.01)
        )
    with pytest.raises(AssertionError):
        check_agreement(models, torch.randn(300, 6), None, family)


def test_amplitudes_are_evaluated_in_both_precisions(monkeypatch):
    monkeypatch.setattr("benchmarks.amplitudes.BATCHES", {1: 50})
    for (_, precision), function in contestants(1).items():
        values = function()
        assert values.shape == (50,) and values.dtype == PRECISIONS[precision]
        assert torch.isfinite(values).all() and values.sum() > 0


def test_page_shows_the_stored_numbers():
    assert page.PAGE.read_text(encoding="utf-8") == page.page(page.read())
