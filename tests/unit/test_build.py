"""Flows as built: nflows' interface, normalisation, sampling against density, standardisation, files, errors."""

import numpy as np
import pytest
import torch
from nflows.flows.base import Flow as NflowsFlow

from hepflows import flows
from hepflows.errors import DataError, InputError

BUILDERS = (flows.coupling_flow, flows.autoregressive_flow, flows.inverse_autoregressive_flow)
PERMUTATIONS = ("reverse", "random", "learnable", "none")


def built(builder, size=0.1, **arguments):
    torch.manual_seed(0)
    flow = builder(**{"features": 3, "context": 2, "transforms": 3, "hidden": (16, 16)} | arguments)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(size * torch.randn(parameter.shape))
    return flow.double()


@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize("spline", [8, None])
@pytest.mark.parametrize("permutation", PERMUTATIONS)
def test_samples_have_the_log_prob_that_is_returned_with_them(builder, spline, permutation):
    flow = built(builder, spline=spline, permutation=permutation)
    flow.standardise_from(5 + 3 * torch.randn(100, 3), torch.randn(100, 2))
    assert isinstance(flow, NflowsFlow)
    context = torch.randn(20, 2).double()
    samples, log_prob = flow.sample_and_log_prob(6, context)
    assert samples.shape == (20, 6, 3)
    assert not samples.requires_grad
    expected = flow.log_prob(samples.reshape(-1, 3), context.repeat_interleave(6, 0)).view(20, 6)
    torch.testing.assert_close(log_prob, expected, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize("spline", [8, None])
def test_density_integrates_to_one_in_two_dimensions(builder, spline):
    # Standardisation included: a scaler without its Jacobian would integrate to the product of the scales.
    flow = built(builder, features=2, context=0, spline=spline, permutation="reverse")
    flow.standardise_from(torch.randn(1000, 2) * torch.tensor([0.5, 3.0]) + 1)
    x = torch.linspace(-6, 8, 701, dtype=torch.float64)
    y = torch.linspace(-40, 42, 701, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(x, y, indexing="ij"), -1).view(-1, 2)
    density = flow.log_prob(grid).exp().detach().view(701, 701)
    assert abs(torch.trapezoid(torch.trapezoid(density, y), x).item() - 1) < 2e-3


@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize("domain", ["unit", "circle"])
def test_bounded_domains(builder, domain):
    flow = built(builder, features=2, context=2, domain=domain, size=0.15)
    low, high = (0.0, 1.0) if domain == "unit" else (-np.pi, np.pi)
    points = torch.linspace(low, high, 401, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(points, points, indexing="ij"), -1).view(-1, 2)
    context = torch.randn(1, 2).double()
    density = flow.log_prob(grid, context.expand(len(grid), -1)).exp().detach().view(401, 401)
    assert abs(torch.trapezoid(torch.trapezoid(density, points), points).item() - 1) < 2e-3
    if domain == "circle":  # no seam where the angle jumps
        torch.testing.assert_close(density[0], density[-1])
        torch.testing.assert_close(density[:, 0], density[:, -1])
    else:
        assert flow.log_prob(torch.tensor([[0.5, 1.5]]).double(), context).item() == -torch.inf
    samples, log_prob = flow.sample_and_log_prob(50, context)
    assert torch.all((samples >= low) & (samples <= high))
    torch.testing.assert_close(flow.log_prob(samples[0], context.expand(50, -1)), log_prob[0], rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("builder", BUILDERS)
def test_empty_batches(builder):
    flow = built(builder).float()
    assert flow.log_prob(torch.empty(0, 3), torch.empty(0, 2)).shape == (0,)
    assert flow.sample(4, torch.empty(0, 2)).shape == (0, 4, 3)


@pytest.mark.parametrize("builder", BUILDERS)
def test_trained_flow_in_thirty_dimensions_inverts(builder):
    torch.manual_seed(1)
    mixing = torch.randn(30, 30) / 30**0.5
    data = torch.tanh(torch.randn(2000, 30) @ mixing) + 0.1 * torch.randn(2000, 30)
    flow = builder(features=30, transforms=6, hidden=(32, 32)).standardise_from(data)
    optimizer = torch.optim.Adam(flow.parameters(), lr=3e-3)
    steps = 40 if builder is not flows.inverse_autoregressive_flow else 4  # its density is the slow direction
    for step in range(steps):
        optimizer.zero_grad()
        loss = -flow.log_prob(data[50 * step : 50 * step + 50]).mean()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        for dtype, tolerance in ((torch.float32, 1e-4), (torch.float64, 1e-10)):
            flow.to(dtype)
            x = data[:500].to(dtype)
            z, logabsdet = flow._transform(x)
            recovered, minus_logabsdet = flow._transform.inverse(z)
            torch.testing.assert_close(recovered, x, rtol=0, atol=tolerance)
            torch.testing.assert_close(minus_logabsdet, -logabsdet, rtol=0, atol=10 * tolerance)


def test_compile_reaches_every_spline():
    flow = built(flows.coupling_flow)
    assert flow.compile() is flow
    elements = [module.element for module in flow.modules() if hasattr(module, "element")]
    assert elements and all(element.compiled for element in elements)


def test_samples_are_the_same_for_any_batch_size_and_follow_the_generator():
    flow = built(flows.autoregressive_flow)
    context = torch.randn(7, 2).double()

    def draw(batch_size, seed):
        return flow.sample(5, context, batch_size, generator=torch.Generator().manual_seed(seed))

    assert draw(None, 1).shape == (7, 5, 3)
    torch.testing.assert_close(draw(None, 1), draw(4, 1), rtol=1e-12, atol=1e-12)
    assert not torch.equal(draw(None, 1), draw(None, 2))
    assert flow.sample(4, context, gradients=True).requires_grad
    assert flow.float().sample(4, context.float()).dtype == torch.float32


@pytest.mark.parametrize("features", [2, 3, 8])
def test_random_permutations_of_a_coupling_exchange_the_halves(features):
    for seed in range(20):
        flow = flows.coupling_flow(features=features, transforms=2, seed=seed)
        order = flow.layers[2]._permutation
        kept = features // 2
        assert set(order[:kept].tolist()) != set(range(kept))


@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize("permutation", PERMUTATIONS)
def test_saved_flow_is_the_same_flow(builder, permutation, tmp_path):
    flow = built(builder, permutation=permutation)
    flow.standardise_from(5 + 3 * torch.randn(100, 3), torch.randn(100, 2))
    flows.save(flow.float(), tmp_path / "flow.pt")
    loaded = flows.load(tmp_path / "flow.pt")
    x, c = torch.randn(10, 3), torch.randn(10, 2)
    assert torch.equal(loaded.log_prob(x, c), flow.log_prob(x, c))
    assert [path.name for path in tmp_path.iterdir()] == ["flow.pt"]


def test_file_of_another_architecture_is_refused(tmp_path):
    path = tmp_path / "flow.pt"
    flows.save(flows.coupling_flow(features=3, transforms=2), path)
    with pytest.raises(InputError, match="transforms=2 in the file, 4 here"):
        flows.load(path, flows.coupling_flow(features=3, transforms=4))
    with pytest.raises(InputError, match="coupling_flow in the file, autoregressive_flow here"):
        flows.load(path, flows.autoregressive_flow(features=3, transforms=2))


def test_files_that_are_no_flows_are_refused(tmp_path):
    with pytest.raises(DataError, match="there is none"):
        flows.load(tmp_path / "missing.pt")
    (tmp_path / "text.pt").write_text("not a flow")
    with pytest.raises(DataError, match="cannot be read"):
        flows.load(tmp_path / "text.pt")
    torch.save({"weights": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(DataError, match="expected a file of format"):
        flows.load(tmp_path / "other.pt")
    whole = tmp_path / "whole.pt"
    flows.save(flows.coupling_flow(features=3), whole)
    whole.write_bytes(whole.read_bytes()[:2000])
    with pytest.raises(DataError, match="cannot be read"):
        flows.load(whole)


BAD_ARGUMENTS = [
    ({"features": 0}, "features: expected an integer of at least 1, got 0"),
    ({"features": 2.0}, "features: expected an integer"),
    ({"features": 2, "context": -1}, "context: expected an integer"),
    ({"features": 2, "transforms": 0}, "transforms: expected"),
    ({"features": 2, "spline": 1}, "bins: expected"),
    ({"features": 2, "hidden": ()}, "hidden: expected one or more positive integers"),
    ({"features": 2, "permutation": "shuffle"}, "permutation: expected one of reverse"),
    ({"features": 2, "domain": "sphere"}, "domain: expected one of real, unit, circle, got 'sphere'"),
    ({"features": 2, "domain": "unit", "spline": None}, "spline: expected a number of bins"),
    ({"features": 2, "domain": "circle", "permutation": "learnable"}, "permutation: expected one that stays"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_ARGUMENTS)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        flows.autoregressive_flow(**arguments)


def test_bad_inputs():
    flow = flows.autoregressive_flow(features=3, context=2)
    x, c = torch.randn(5, 3), torch.randn(5, 2)
    cases = [
        (lambda: flow.log_prob(x[:, :2], c), r"inputs: expected shape \(events, 3\), got \(5, 2\)"),
        (lambda: flow.log_prob(x), r"context: expected shape \(events, 2\), got none"),
        (lambda: flow.log_prob(x, c[:4]), "context: expected 5 rows"),
        (lambda: flow.log_prob(x, c[:, :1]), r"context: expected shape \(events, 2\), got shape \(5, 1\)"),
        (lambda: flow.sample(3), "context: expected"),
        (lambda: flow.sample(0, c), "num_samples: expected a positive integer, got 0"),
        (lambda: flow.standardise_from(x, None), "context: expected"),
        (lambda: flow.standardise_from(x[:, :2], c), "features: expected shape"),
        (lambda: flows.autoregressive_flow(features=3).log_prob(x, c), "context: expected none"),
    ]
    for call, message in cases:
        with pytest.raises(InputError, match=message):
            call()
    x[3, 1] = np.nan
    with pytest.raises(InputError, match="got nan in row 3, feature 1"):
        flow.log_prob(x, c)
