"""A transformer that turns an event, a set of jets, leptons and missing momentum, into a vector of fixed length."""

import torch
from torch import nn
from torch.nn import functional

from hepflows.errors import InputError


class EventEncoder(nn.Module):
    """Tokens (events, slots, kinds + features) -> summary (events, outputs), whatever the number of objects.

    A token begins with the one-hot kind of its object (such as jet, lepton, missing momentum) and continues with the
    object's features; a row of zeros is an empty slot. Kinds and features are embedded in `width` numbers, `layers`
    pre-norm transformer blocks (arXiv:2002.04745) let the objects see each other, and learned queries q, one for each
    head, accumulate them:
        summary = sum_t a_t V h_t,   a_t = softmax over the filled slots of q . h_t.
    Nothing tells the order of the slots: objects of one kind may be permuted, and empty slots are never seen.
    Raises InputError for sizes that do not fit.
    """

    def __init__(self, kinds, features, outputs=16, width=32, heads=2, layers=1):
        super().__init__()
        for name, size in (("width", width), ("outputs", outputs)):
            if size % heads:
                raise InputError(f"{name}: expected a multiple of the {heads} heads, got {size}")
        self.kinds, self.features, self.outputs, self.heads = kinds, features, outputs, heads
        # The column of a one-hot kind in the first layer is the embedding of that kind.
        self.embed = nn.Sequential(nn.Linear(kinds + features, width), nn.ReLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.queries = nn.Linear(width, heads, bias=False)
        self.values = nn.Linear(width, outputs)

    def forward(self, tokens):
        """Summary (events, outputs). Raises InputError for another shape, or an event without any object."""
        if tokens.ndim != 3 or tokens.shape[2] != self.kinds + self.features:
            wanted = f"(events, slots, {self.kinds + self.features})"
            raise InputError(f"tokens: expected shape {wanted}, got {tuple(tokens.shape)}")
        filled = self.filled(tokens)
        empty = ~filled.any(1)
        if empty.any():
            raise InputError(f"tokens: expected an object in each event, event {int(empty.nonzero()[0])} has none")
        hidden = self.embed(tokens)
        for block in self.blocks:
            hidden = block(hidden, filled)
        hidden = self.norm(hidden)
        weights = self.queries(hidden).masked_fill(~filled.unsqueeze(2), -torch.inf).softmax(1)
        values = self.values(hidden).unflatten(2, (self.heads, -1))
        return (weights.unsqueeze(3) * values).sum(1).flatten(1)

    def filled(self, tokens):
        """The padding mask: True where a slot holds an object, shape (events, slots)."""
        return tokens[..., : self.kinds].any(-1)


class Block(nn.Module):
    """h + attention(norm h), then h + network(norm h): a pre-norm transformer block. Empty slots are not seen."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.project = nn.Linear(width, 3 * width)
        self.merge = nn.Linear(width, width)
        self.network = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))

    def forward(self, hidden, filled):
        hidden = hidden + self.attention(self.norms[0](hidden), filled)
        return hidden + self.network(self.norms[1](hidden))

    def attention(self, hidden, filled):
        query, key, value = self.project(hidden).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=filled[:, None, None, :])
        return self.merge(seen.transpose(1, 2).flatten(2))


class EncodedFlow(nn.Module):
    """p(x | event) = p(x | given quantities, summary of the objects): encoder and flow, trained as one.

    The context is one row of numbers for each event: `given` quantities, then the tokens of the encoder, unrolled. The
    flow's context c is the given quantities, then the summary. With `mixed` > 0 the last `mixed` given quantities and
    the summary first pass a residual network, c + network(c), which begins as the identity: what one factor of a
    chained flow learns to see in them, all others see, too. The quantities before them reach the flow as they are.
    Raises InputError if more are to be mixed than are given.
    """

    def __init__(self, encoder, flow, given, mixed=0, hidden=128):
        super().__init__()
        if not 0 <= mixed <= given:
            raise InputError(f"mixed: expected 0 to {given}, the quantities given, got {mixed}")
        self.encoder, self.flow, self.given, self.untouched = encoder, flow, given, given - mixed
        self.mix = None
        if mixed:
            numbers = mixed + encoder.outputs
            self.mix = nn.Sequential(nn.Linear(numbers, hidden), nn.ReLU(), nn.Linear(hidden, numbers))
            nn.init.zeros_(self.mix[2].weight)
            nn.init.zeros_(self.mix[2].bias)

    def encode(self, context):
        """The flow's context (events, given + outputs)."""
        tokens = context[:, self.given :].unflatten(1, (-1, self.encoder.kinds + self.encoder.features))
        known = torch.cat((context[:, : self.given], self.encoder(tokens)), 1)
        if self.mix is None:
            return known
        untouched, mixed = known[:, : self.untouched], known[:, self.untouched :]
        return torch.cat((untouched, mixed + self.mix(mixed)), 1)

    def log_prob(self, inputs, context):
        """log p(x | event) in nats, shape (events,)."""
        return self.flow.log_prob(inputs, self.encode(context))

    def sample(self, num_samples, context):
        """Draws (events, num_samples, D); each event is encoded once."""
        return self.flow.sample(num_samples, self.encode(context))

    def sample_and_log_prob(self, num_samples, context):
        """Draws and their log p(x | event), (events, num_samples)."""
        return self.flow.sample_and_log_prob(num_samples, self.encode(context))
