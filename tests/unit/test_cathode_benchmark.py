"""The peer of the CATHODE benchmark is a flow, and its recipe works on a small scale."""

import json

import numpy as np
import pytest
import torch

from benchmarks import cathode, walkthrough
from benchmarks.affine_flow import AffineFlow
from hepflows.provenance import REPOSITORY

STORED = REPOSITORY / "results" / "benchmarks" / "cathode.json"


@pytest.fixture
def flow():
    torch.manual_seed(3)
    flow = AffineFlow(features=3, blocks=4, units=20).double()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    flow.settle(torch.randn(500, 3).double(), torch.randn(500, 1).double())
    return flow


def test_density_is_that_of_the_map_to_the_base(flow):
    """log p(x) = log N(u) + log |det du/dx|, the determinant by autograd; the base's u by running the layers."""

    def to_base(x, c):
        for number, layer in enumerate(flow.layers):
            x, _ = layer(x[None] if x.ndim == 1 else x, c)
            x = x.flip(1) if number % 2 else x
        return x[0]

    for _ in range(5):
        x, c = torch.randn(3).double(), torch.randn(1, 1).double()
        jacobian = torch.autograd.functional.jacobian(lambda x, c=c: to_base(x, c), x)
        base = torch.distributions.Normal(0, 1).log_prob(to_base(x, c)).sum()
        expected = base + torch.linalg.slogdet(jacobian)[1]
        assert flow.log_prob(x[None], c).item() == pytest.approx(expected.item(), abs=1e-9)


def test_draws_are_the_inverse(flow):
    c = torch.randn(50, 1).double()
    torch.set_default_dtype(torch.float64)
    try:
        torch.manual_seed(1)
        drawn = flow.sample(c)
        torch.manual_seed(1)
        noise = torch.randn(50, 3)
    finally:
        torch.set_default_dtype(torch.float32)
    x = drawn
    with torch.no_grad():
        for number, layer in enumerate(flow.layers):
            x, _ = layer(x, c)
            x = x.flip(1) if number % 2 else x
    np.testing.assert_allclose(x, noise, atol=1e-8)


def test_scaling_goes_back_and_says_what_it_cannot_scale(rng):
    values = rng.uniform(2, 5, (300, 2))
    scale = walkthrough.Logit(values)
    scaled = scale(values)
    inner = np.isfinite(scaled).all(1)
    assert 296 <= inner.sum() < 300  # the ends of the range have no logit
    np.testing.assert_allclose(scale.inverse(scaled[inner]), values[inner])
    np.testing.assert_allclose(np.nanstd(scaled, axis=0), 1)
    assert np.isnan(scale(np.array([[1.0, 3.0]]))[0, 0])


class Drifting(torch.nn.Module):
    """One number that training pushes upwards; its validation loss is what `curve` says after each epoch."""

    def __init__(self, curve):
        super().__init__()
        self.number, self.curve, self.validated = torch.nn.Parameter(torch.zeros(())), iter(curve), []

    def loss(self, x):
        if self.training:
            return -self.number * x.mean()
        self.validated.append(self.number.item())
        return torch.tensor(next(self.curve))


@pytest.mark.parametrize(
    ("curve", "untrained", "epochs", "best"),
    [
        (range(1, 40), False, 12, 1),  # worse and worse; but never before the twelfth epoch
        (range(1, 40), True, 12, 1),  # the untrained model has no weights to go back to
        ([9, 8, 7, 6, 5, 4, 3, *range(11, 40)], False, 17, 7),
        ([5.0] * 12 + [4.0] + [4.5] * 5 + [3.9] + [6.0] * 30, False, 29, 19),
        ([5.0, 4.0] * 20, False, 30, 2),  # not stopped while one of the last ten is as good as the one before them
    ],
)
def test_training_stops_after_ten_epochs_that_are_worse_and_keeps_the_best(curve, untrained, epochs, best):
    model, ones = Drifting(map(float, curve)), [torch.ones(4)]
    generator = torch.Generator().manual_seed(1)
    done = walkthrough.train(model, model.loss, ones, ones, 4, 0.1, 0.0, 30, generator, untrained=untrained)
    assert done == epochs
    assert model.number.item() == model.validated[best - 1 + untrained] > 0


def test_validation_is_the_mean_of_its_batches():
    """Losses in batches of four out of six events: the last two weigh as much as the four before them."""
    numbers = torch.tensor([0.0, 0, 0, 0, 6, 6])
    model, stops = Drifting([]), []
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        first, second = torch.randperm(6, generator=torch.Generator().manual_seed(seed)).split(4)
        stops.append((numbers[first].mean() + numbers[second].mean()).item() / 2)
        assert walkthrough.validation_loss(model, lambda x: x.mean(), [numbers], 4, generator) == stops[-1]
    assert len(set(stops)) > 1  # the mean over the events is 2 in any order


def test_both_recipes_run_on_little_data():
    x, m = cathode.mixture(seed=1, events=6000, strength=10)
    window = cathode.inside(m)
    data, held = x[window], walkthrough.held_out(m, seed=1)[window]
    theirs, _, done = walkthrough.template(x, m, window, seed=1, epochs=2)
    mine, _ = cathode.our_template(x, m, seed=1, epochs=2)
    assert done == 2 and len(mine) == 3 * len(data) and len(theirs) == 4 * np.sum(~held)
    for drawn in (mine, theirs):
        assert np.all(np.isfinite(drawn)) and np.all(np.abs(drawn.mean(0) / data.mean(0) - 1) < 1)
    score, done = walkthrough.score(data, held, theirs, seed=1, epochs=2)
    assert done == 2
    for found in (cathode.judge(score), cathode.judge(cathode.our_score(data, mine, seed=1, trees=1))):
        assert 0 <= found["sic_1e-3"] < 32 and 30 < found["background_events"] < 45


def row(seed, strength=2.2, events=100, epochs=3, ours=12.0, peer=8.0):
    numbers = {cathode.OURS: ours, cathode.PEER: peer, "supervised": 15.0}
    row = dict(seed=seed, strength=strength, events=events, epochs_at_most=epochs, sic_ratio=ours / peer)
    return row | dict(flow_time_ratio=0.1) | {name: {"sic_1e-3": number} for name, number in numbers.items()}


def test_a_stopped_run_goes_on_where_it_stopped(monkeypatch, tmp_path):
    measured = []
    monkeypatch.setattr(cathode, "measure", lambda *arguments: measured.append(arguments) or row(*arguments))
    out = tmp_path / "cathode.json"
    cathode.run([1, 2], [2.2], 100, 3, out)
    rows = cathode.run([1, 2, 3], [2.2, 1.1], 100, 3, out)
    assert measured == [(seed, 2.2, 100, 3) for seed in (1, 2, 3)] + [(seed, 1.1, 100, 3) for seed in (1, 2, 3)]
    assert json.loads(out.read_text())["rows"] == rows and len(rows) == 6


def test_summary_takes_the_medians():
    text = cathode.summary([row(1, ours=10.0), row(2, ours=12.0), row(3, ours=20.0)])
    assert "3 injections" in text and f"{cathode.OURS:38}  12.0 [10.6, 17.4]" in text
    assert f"{'sic_ratio':38}  1.50" in text


def test_stored_comparison_is_complete_and_says_what_the_lecture_says():
    """Three injections or more, and the walkthrough's flow stopped by itself; what section 10 of lecture 09 claims."""
    rows = [row for row in json.loads(STORED.read_text())["rows"] if row["strength"] == 2.2]
    assert len({row["seed"] for row in rows}) == len(rows) >= 3
    for row in rows:
        assert row["events"] == 200_000 and 12 <= row["epochs"]["flow"] < row["epochs_at_most"]
        assert row["commit"] and not row["commit"].endswith("dirty")
        ours, peer = (row["flow_cpu_seconds"][recipe] for recipe in ("lecture", "walkthrough"))
        assert row["flow_time_ratio"] == pytest.approx(ours / peer) and ours <= peer / 3
    ours, peer, supervised = (
        np.array([row[name]["sic_1e-3"] for row in rows]) for name in (cathode.OURS, cathode.PEER, "supervised")
    )
    np.testing.assert_allclose([row["sic_ratio"] for row in rows], ours / peer)
    assert np.median(ours / peer) > 1  # not the 1.5 that were hoped for: there is not so much to be had,
    assert np.median(supervised / peer) < 1.5  # not even for who knows the signal
