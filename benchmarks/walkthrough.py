"""The recipe of the public CATHODE walkthrough, as the peer of `benchmarks.cathode`.

The walkthrough (github.com/uhh-pd-ml/sk_cathode, demos/cathode_walkthrough.ipynb) is not a package that can be
installed. Its recipe is written anew here, with its architecture and settings: min-max, logit and standardisation; an
affine MAF (`affine_flow`; Adam 1e-4, batches of 256, early stopping after 10 epochs); masses from a kernel density
estimate in logit space; four draws for each training event; a network of 3 x 64 units (Adam 1e-3, batches of 128,
balanced classes, early stopping); the best epoch of each. It trains on half of its events and validates on a sixth, the
rest are for its tests: 3 to 1, as here.
"""

import copy
import math
import time

import numpy as np
import torch
from scipy.special import expit, logit
from sklearn.neighbors import KernelDensity
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from torch import nn

from benchmarks.affine_flow import AffineFlow

PATIENCE = 10


class Logit:
    """Min-max of the events it is made from, logit, and if wanted standardisation; (n, d) -> (n, d) and back."""

    def __init__(self, values, epsilon=0.0, standardise=True):
        self.range = MinMaxScaler((epsilon, 1 - epsilon)).fit(values)
        self.scaler = StandardScaler(with_mean=standardise, with_std=standardise)
        self.scaler.fit(self.logits(values))

    def logits(self, values):
        """NaN at the range's ends and beyond."""
        scaled = logit(self.range.transform(values))
        return np.where(np.isfinite(scaled), scaled, np.nan)

    def __call__(self, values):
        return self.scaler.transform(self.logits(values))

    def inverse(self, values):
        return self.range.inverse_transform(expit(self.scaler.inverse_transform(values)))


def batches(tensors, size, generator):
    """The events of all tensors in random order, `size` at a time."""
    for rows in torch.randperm(len(tensors[0]), generator=generator).split(size):
        yield [values[rows] for values in tensors]


@torch.no_grad()
def validation_loss(model, loss, tensors, size, generator):
    """Mean over the batches, of which the last may be a small one."""
    model.eval()
    return float(np.mean([float(loss(*events)) for events in batches(tensors, size, generator)]))


def train(model, loss, samples, validation, batch, rate, decay, epochs, generator, after=lambda: None, untrained=False):
    """Minimise loss(*tensors) with Adam; stop when the last ten epochs are all worse than the one before them.

    With `untrained` the history of validation losses begins before the first epoch. The model is left with the weights
    of the best epoch. Returns the number of epochs.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=rate, weight_decay=decay, fused=True)
    history = [validation_loss(model, loss, validation, batch, generator)] if untrained else []
    lowest = math.inf
    for epoch in range(epochs):
        model.train()
        for events in batches(samples, batch, generator):
            optimizer.zero_grad()
            loss(*events).backward()
            optimizer.step()
        after()
        history.append(validation_loss(model, loss, validation, batch, generator))
        if history[-1] < lowest:
            lowest, best = history[-1], copy.deepcopy(model.state_dict())
        if epoch > PATIENCE and min(history[-PATIENCE:]) > history[-PATIENCE - 1]:
            break
    model.load_state_dict(best)
    return epoch + 1


def finite(x, m):
    kept = np.isfinite(x).all(1)
    return torch.tensor(x[kept]).float(), torch.tensor(m[kept, None]).float()


def held_out(m, seed):
    """Mask of the quarter of the data that validates."""
    return np.random.default_rng(seed).random(len(m)) < 0.25


def template(x, m, window, seed, epochs=1000):
    """Draws of the flow, four for each training event in the window, CPU seconds of its training, and its epochs.

    x: features, (n, 4); m: masses in TeV, (n,); window: mask of the signal region, (n,).
    """
    torch.manual_seed(seed)
    generator, held = torch.Generator().manual_seed(seed), held_out(m, seed)
    beside, start = ~window, time.process_time()
    scale, flow = Logit(x[beside & ~held]), AffineFlow()
    samples, validation = (finite(scale(x[beside & part]), m[beside & part]) for part in (~held, held))

    def loss(x, m):
        terms = -flow.log_prob(x, m)
        return terms.mean() if flow.training else terms[terms.abs() < 1000].mean()  # the validation drops what diverges

    options = dict(batch=256, rate=1e-4, decay=1e-6, epochs=epochs, generator=generator, untrained=True)
    done = train(flow, loss, samples, validation, after=lambda: flow.settle(*samples), **options)
    seconds = time.process_time() - start
    masses = m[window & ~held, None]
    mass_scale = Logit(masses, epsilon=1e-8, standardise=False)
    density = KernelDensity(bandwidth=0.01).fit(mass_scale(masses))
    masses = mass_scale.inverse(density.sample(4 * len(masses), random_state=seed))
    return scale.inverse(flow.sample(torch.tensor(masses).float()).numpy().astype(float)), seconds, done


def score(data, held, drawn, seed, epochs=10_000):
    """The network's scores as a function of events, and its epochs: data in the window against all draws."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    drawn_held = np.arange(len(drawn)) >= int(np.mean(~held) * len(drawn))
    standard = StandardScaler().fit(data[~held])
    layers = [nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)]
    network, parts = nn.Sequential(*layers), []
    for mine, theirs in ((data[~held], drawn[~drawn_held]), (data[held], drawn[drawn_held])):
        label = np.repeat([1.0, 0.0], [len(mine), len(theirs)])
        weight = np.where(label == 1, len(label) / 2 / len(mine), len(label) / 2 / len(theirs))
        values = standard.transform(np.concatenate([mine, theirs])), label, weight
        parts.append([torch.tensor(value).float() for value in values])
    options = dict(batch=128, rate=1e-3, decay=0.0, epochs=epochs, generator=generator)
    done = train(network, lambda x, y, w: cross_entropy(network(x)[:, 0], y, w), *parts, **options)

    def logits(events):
        with torch.no_grad():
            return network(torch.tensor(standard.transform(events)).float())[:, 0].numpy()

    return logits, done


def cross_entropy(logits, label, weight):
    return nn.functional.binary_cross_entropy_with_logits(logits, label, weight)
