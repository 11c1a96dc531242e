"""The shower benchmark compares the same numbers."""

import pytest
import torch

from benchmarks import showers


@pytest.mark.filterwarnings("ignore:Inputs to the softmax")
def test_nflows_draws_the_same_showers_with_the_same_weights():
    flow = showers.teacher(hidden=(40, 40), features=30)
    assert showers.largest_difference(flow, showers=20) < 1e-9
    # the flow bends: a comparison of identities would show nothing
    noise, context = torch.randn(50, 30), torch.randn(50, showers.CONTEXT)
    with torch.no_grad():
        assert (flow._transform.inverse(noise, context)[0] - noise).abs().mean() > 0.05


@pytest.mark.filterwarnings("ignore:Inputs to the softmax")
def test_the_comparison_sees_another_weight(monkeypatch):
    flow = showers.teacher(hidden=(40, 40), features=30)
    converted = showers.as_nflows

    def changed(flow):
        theirs = converted(flow)
        theirs._transforms[0].autoregressive_net.initial_layer.weight.data.add_(0.01)
        return theirs

    monkeypatch.setattr(showers, "as_nflows", changed)
    assert showers.largest_difference(flow, showers=20) > 1e-4
