"""What a flow does to one feature: the interface that splines and affine maps share."""

from abc import ABC, abstractmethod


class Element(ABC):
    """One-dimensional invertible map tau(x; h) for each feature, with parameters h of shape (features, P, events).

    Inputs of shape (features, events); forward and inverse return outputs and log-derivatives of that shape.
    `encode` is how a network sees a feature, by `encoded` numbers.
    """

    parameters_per_feature: int
    encoded = 1

    @abstractmethod
    def identity_parameters(self):
        """Parameters of the identity, shape (parameters_per_feature,)."""

    @abstractmethod
    def forward(self, inputs, parameters):
        """(outputs, log |d outputs / d inputs|)."""

    @abstractmethod
    def inverse(self, inputs, parameters):
        """(inputs of forward, log |d inputs / d outputs|)."""

    def encode(self, values, axis):
        """What networks see of the features that lie along `axis`."""
        return values
