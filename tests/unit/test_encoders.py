"""The encoder sees a set: permutations, empty slots and the order of events change nothing; the rest it must see."""

import pytest
import torch
from torch import nn

from hepflows import encoders, flows
from hepflows.errors import InputError

KINDS, FEATURES = 3, 5
TOLERANCE = dict(rtol=0, atol=1e-5)


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    made = encoders.EventEncoder(KINDS, FEATURES, outputs=6, width=16, heads=2, layers=2)
    with torch.no_grad():  # away from the values of the initialisation, where biases and queries hardly act
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return made


def events(number=20, slots=7, seed=1):
    """Tokens: a lepton (kind 1), missing momentum (kind 2), one to `slots - 2` jets (kind 0), then empty slots."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.zeros(number, slots, KINDS + FEATURES)
    tokens[:, :, KINDS:] = torch.randn(number, slots, FEATURES, generator=generator)
    tokens[:, 0, 1] = tokens[:, 1, 2] = tokens[:, 2:, 0] = 1
    objects = torch.randint(3, slots, (number, 1), generator=generator)
    return tokens * (torch.arange(slots) < objects).unsqueeze(2)


def test_permuting_the_slots_changes_nothing(encoder):
    tokens = events()
    order = torch.randperm(tokens.shape[1], generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(encoder(tokens[:, order]), encoder(tokens), **TOLERANCE)


def test_added_empty_slots_change_nothing(encoder):
    tokens = events()
    padded = torch.cat((tokens, torch.zeros(len(tokens), 5, tokens.shape[2])), 1)
    torch.testing.assert_close(encoder(padded), encoder(tokens), **TOLERANCE)


def test_what_stands_in_an_empty_slot_never_leaks(encoder):
    tokens = events().requires_grad_()
    filled = encoder.filled(tokens)
    assert 0 < (~filled).sum() < filled.numel()
    rubbish = torch.where(filled.unsqueeze(2), tokens, 1e3 * torch.randn(tokens.shape))
    rubbish = torch.cat((tokens[..., :KINDS], rubbish[..., KINDS:]), 2)
    torch.testing.assert_close(encoder(rubbish), encoder(tokens), **TOLERANCE)
    (gradient,) = torch.autograd.grad(encoder(tokens).square().sum(), tokens)
    assert torch.all(gradient[~filled] == 0) and torch.all(gradient[filled].abs().sum(1) > 0)


def test_events_do_not_see_each_other(encoder):
    tokens = events()
    torch.testing.assert_close(encoder(tokens)[3:4], encoder(tokens[3:4]), **TOLERANCE)


def test_kind_of_an_object_is_seen(encoder):
    tokens = events()
    exchanged = tokens.clone()
    exchanged[:, :2, :KINDS] = tokens[:, [1, 0], :KINDS]
    assert (encoder(exchanged) - encoder(tokens)).abs().amax(1).min() > 1e-3


def test_one_object_more_is_seen(encoder):
    tokens = events()
    fewer = tokens.clone()
    fewer[:, 2] = 0
    assert (encoder(fewer) - encoder(tokens)).abs().amax(1).min() > 1e-3


def test_agrees_with_the_attention_of_torch():
    torch.manual_seed(0)
    block = encoders.Block(8, 2)
    hidden, filled = torch.randn(5, 4, 8), torch.tensor([[True, True, True, False]] * 5)
    peer = nn.MultiheadAttention(8, 2, batch_first=True)
    with torch.no_grad():
        peer.in_proj_weight.copy_(block.project.weight)
        peer.in_proj_bias.copy_(block.project.bias)
        peer.out_proj.load_state_dict(block.merge.state_dict())
    expected, _ = peer(hidden, hidden, hidden, key_padding_mask=~filled)
    torch.testing.assert_close(block.attention(hidden, filled), expected, **TOLERANCE)


@pytest.mark.parametrize(
    "tokens, message",
    [
        (torch.ones(3, 4, KINDS + FEATURES + 1), "tokens: expected shape"),
        (torch.ones(3, KINDS + FEATURES), "tokens: expected shape"),
        (torch.zeros(3, 4, KINDS + FEATURES), "event 0 has none"),
    ],
)
def test_bad_tokens(encoder, tokens, message):
    with pytest.raises(InputError, match=message):
        encoder(tokens)


@pytest.mark.parametrize("sizes", [dict(outputs=5), dict(width=31)])
def test_bad_sizes(sizes):
    with pytest.raises(InputError, match=f"{next(iter(sizes))}: expected a multiple of the 2 heads"):
        encoders.EventEncoder(KINDS, FEATURES, **sizes)


def test_encoded_flow_is_the_flow_with_the_summary_as_context(encoder):
    tokens, given, x = events(), torch.randn(20, 2), torch.randn(20, 2)
    flow = flows.autoregressive_flow(features=2, context=8, transforms=1)
    nn.init.normal_(flow.layers[1].network.output.weight, std=0.1)
    both = encoders.EncodedFlow(encoder, flow, given=2)
    context = torch.cat((given, tokens.flatten(1)), 1)
    by_hand = torch.cat((given, encoder(tokens)), 1)
    torch.testing.assert_close(both.log_prob(x, context), flow.log_prob(x, by_hand), **TOLERANCE)
    draws, log_prob = both.sample_and_log_prob(3, context)
    assert draws.shape == (20, 3, 2) == both.sample(3, context).shape
    again = both.log_prob(draws.flatten(0, 1), context.repeat_interleave(3, 0))
    torch.testing.assert_close(again.view(20, 3), log_prob, rtol=0, atol=1e-3)
    both.log_prob(x, context).mean().backward()
    assert all(parameter.grad is not None for parameter in both.parameters())


def test_mixed_quantities_begin_as_they_are_and_then_see_each_other(encoder):
    tokens, given = events(), torch.randn(20, 5)
    flow = flows.autoregressive_flow(features=2, context=5 + encoder.outputs, transforms=1)
    both, context = encoders.EncodedFlow(encoder, flow, 5, mixed=3), torch.cat((given, tokens.flatten(1)), 1)
    by_hand = torch.cat((given, encoder(tokens)), 1)
    torch.testing.assert_close(both.encode(context), by_hand, **TOLERANCE)
    nn.init.normal_(both.mix[2].weight)

    def change(column):
        moved = context.clone()
        moved[:, column] += 1.0
        return (both.encode(moved) - both.encode(context)).abs().amax(0) > 1e-6

    # the first two reach the flow as they are, and nothing else sees them
    assert change(0).tolist() == [column == 0 for column in range(both.flow.context_features)]
    # the others go to all but the first two
    assert not change(4)[:2].any() and change(4)[2:].all()
    with pytest.raises(InputError, match="mixed: expected 0 to 5"):
        encoders.EncodedFlow(encoder, flow, 5, mixed=6)
