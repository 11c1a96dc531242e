"""A neural network with dropout as scikit-learn classifier: stronger on images of showers than boosted trees."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from torch import nn
from torch.nn import functional


class DropoutNetwork(ClassifierMixin, BaseEstimator):
    """Two hidden layers with LeakyReLU and dropout on standardised inputs; the weights of the best epoch are kept.

    AdamW on the binary cross-entropy, cosine schedule; the best epoch is that of the lowest loss of the fraction
    `validation` of the rows. To be passed to `two_sample_auc`.

    Args:
        units: of each hidden layer.
        dropout: probability with which a unit is left out in a step.
        epochs: passes through the training rows.
        batch_size: events in a step.
        learning_rate, weight_decay: of AdamW.
        validation: fraction of the rows that choose the epoch.
        random_state: seed of split, weights, order and dropout.
    """

    def __init__(
        self,
        units=256,
        dropout=0.2,
        epochs=15,
        batch_size=250,
        learning_rate=1e-3,
        weight_decay=1e-2,
        validation=0.2,
        random_state=0,
    ):
        self.units = units
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.validation = validation
        self.random_state = random_state

    def fit(self, X, y):
        """Train on events X (events, columns) with labels y of two classes."""
        self.classes_, labels = np.unique(y, return_inverse=True)
        events = torch.as_tensor(np.asarray(X, dtype=np.float32))
        labels = torch.as_tensor(labels, dtype=torch.float32)
        self.mean_, self.scale_ = events.mean(0), events.std(0) + 1e-6
        events = (events - self.mean_) / self.scale_
        with torch.random.fork_rng(devices=[]):  # dropout and the layers draw from the global generator
            torch.manual_seed(self.random_state)
            order = torch.randperm(len(events))
            held_out, kept = order.tensor_split([int(self.validation * len(events))])
            self._train(events[kept], labels[kept], events[held_out], labels[held_out])
        return self

    def _train(self, events, labels, validation, validation_labels):
        width = self.units
        self.network_ = network = nn.Sequential(
            *[nn.Linear(events.shape[1], width), nn.LeakyReLU(), nn.Dropout(self.dropout)],
            *[nn.Linear(width, width), nn.LeakyReLU(), nn.Dropout(self.dropout), nn.Linear(width, 1)],
        )
        optimizer = torch.optim.AdamW(
            network.parameters(), self.learning_rate, weight_decay=self.weight_decay, fused=True
        )
        steps = self.epochs * max(1, len(events) // self.batch_size)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        best_loss, best = np.inf, None
        for _ in range(self.epochs):
            network.train()
            for rows in torch.randperm(len(events)).split(self.batch_size)[: steps // self.epochs]:
                optimizer.zero_grad()
                functional.binary_cross_entropy_with_logits(network(events[rows])[:, 0], labels[rows]).backward()
                optimizer.step()
                schedule.step()
            network.eval()
            with torch.no_grad():
                loss = functional.binary_cross_entropy_with_logits(network(validation)[:, 0], validation_labels).item()
            if loss < best_loss:
                best_loss, best = loss, {name: value.clone() for name, value in network.state_dict().items()}
        network.load_state_dict(best)

    def decision_function(self, X):
        """Logit of the second class, (events,)."""
        events = (torch.as_tensor(np.asarray(X, dtype=np.float32)) - self.mean_) / self.scale_
        with torch.no_grad():
            return self.network_(events)[:, 0].double().numpy()

    def predict_proba(self, X):
        """Probabilities of both classes, (events, 2)."""
        second = 1 / (1 + np.exp(-self.decision_function(X)))
        return np.stack([1 - second, second], axis=1)

    def predict(self, X):
        """The more probable class of each event."""
        return self.classes_[(self.decision_function(X) > 0).astype(int)]
