"""A flow with nflows' interface: density, sampling, standardisation inside, and files that rebuild it."""

import os
from pathlib import Path

import torch
from nflows.flows.base import Flow as NflowsFlow
from nflows.transforms import CompositeTransform

from hepflows.errors import DataError, InputError
from hepflows.flows.base import StandardNormal
from hepflows.flows.linear import Standardise, StandardiseContext
from hepflows.flows.marginals import NormalMarginals
from hepflows.flows.splines import RationalQuadraticSpline

FILE_FORMAT = "hepflows-flow-1"


class Flow(NflowsFlow):
    """log p(x|y) = log p_Z(f(x; y)) + log|det df/dx|, with x in features, y the context (lecture: Normalizing flows).

    `layers`: transforms in the normalising direction x -> z; `base`: the latent density p_Z (a standard normal stands
    behind a standardisation of the features, a density on a bounded domain does not); `recipe` = (name of the build
    function, its arguments), so that a file can rebuild the flow.
    """

    def __init__(self, layers, base, features, context, recipe):
        embedding = StandardiseContext(context) if context else None
        if isinstance(base, StandardNormal):
            layers = [Standardise(features), *layers]
        super().__init__(CompositeTransform(layers), base, embedding)
        self.features = features
        self.context_features = context
        self.recipe = recipe

    @property
    def layers(self):
        """The transforms in the normalising direction, standardisation first."""
        return list(self._transform._transforms)

    def compile(self):
        """Run the splines through torch.compile from now on (the first call takes seconds); returns the flow."""
        for module in self.modules():
            if isinstance(getattr(module, "element", None), RationalQuadraticSpline):
                module.element.compiled = True
        return self

    def standardise_from(self, features, context=None):
        """Set mean and scale of features (events, D) and context (events, C) inside the flow; returns the flow.

        Features of a bounded domain stay as they are. A flow with `marginals` takes the features' quantiles, too.
        """
        if isinstance(self.layers[0], Standardise):
            self.layers[0].set_from(features, "features")
        if any(isinstance(layer, NormalMarginals) for layer in self.layers[1:2]):
            standardised = self.layers[0].forward(torch.as_tensor(features).to(self.layers[0].mean))[0]
            self.layers[1].set_from(standardised, "features")
        if (context is None) != (not self.context_features):
            raise InputError(f"context: expected {self._expected_context()}, got {_shape(context)}")
        if context is not None:
            self._embedding_net.standardise.set_from(context, "context")
        return self

    def log_prob(self, inputs, context=None):
        """log p(x|y) in nats, shape (events,), for inputs (events, D) and context (events, C)."""
        inputs, context = self._checked(inputs, context)
        return super().log_prob(inputs, context)

    def transform_to_noise(self, inputs, context=None):
        """z = f(x; y), shape (events, D)."""
        inputs, context = self._checked(inputs, context)
        return super().transform_to_noise(inputs, context)

    def from_noise(self, noise, context=None):
        """x = f^-1(z; y) and log p(x|y) for latent points z of one's own choice, (events, D); one context row each."""
        noise, context = self._checked(noise, context)
        if context is not None:
            context = self._embedding_net(context)
        x, logabsdet = self._transform.inverse(noise, context)
        return x, self._distribution.log_prob(noise) - logabsdet

    def sample(self, num_samples, context=None, batch_size=None, *, generator=None, gradients=False):
        """Draws x ~ p(x|y): (num_samples, D), or (events, num_samples, D) with a context of shape (events, C).

        `batch_size` bounds how many points are transformed at once. Without `gradients` autograd records nothing.
        """
        return self._draw(num_samples, context, batch_size, generator, gradients)[0]

    def sample_and_log_prob(self, num_samples, context=None, batch_size=None, *, generator=None, gradients=False):
        """Draws and their log p(x|y), shapes as `sample` and without its last axis."""
        return self._draw(num_samples, context, batch_size, generator, gradients)

    def _draw(self, num_samples, context, batch_size, generator, gradients):
        if isinstance(num_samples, bool) or not isinstance(num_samples, int) or num_samples < 1:
            raise InputError(f"num_samples: expected a positive integer, got {num_samples!r}")
        with torch.set_grad_enabled(gradients):
            context = self._checked_context(context)
            rows = num_samples if context is None else num_samples * len(context)
            if context is not None:
                context = self._embedding_net(context).repeat_interleave(num_samples, 0)
            # All noise at once: the draws do not depend on the batch size.
            noise = self._distribution.draw(rows, generator)
            noise_log_prob = self._distribution.log_prob(noise)
            batch_size = max(batch_size or rows, 1)
            parts = [
                self._transform.inverse(
                    noise[i : i + batch_size], None if context is None else context[i : i + batch_size]
                )
                for i in range(0, max(rows, 1), batch_size)
            ]
            samples = torch.cat([part[0] for part in parts])
            log_prob = noise_log_prob - torch.cat([part[1] for part in parts])
        if context is None:
            return samples, log_prob
        return samples.view(-1, num_samples, self.features), log_prob.view(-1, num_samples)

    def _checked(self, inputs, context):
        inputs = torch.as_tensor(inputs)
        if inputs.ndim != 2 or inputs.shape[1] != self.features:
            raise InputError(f"inputs: expected shape (events, {self.features}), got {tuple(inputs.shape)}")
        context = self._checked_context(context)
        if context is not None and len(context) != len(inputs):
            raise InputError(f"context: expected {len(inputs)} rows as in inputs, got {len(context)}")
        # The sum, one cheap pass, is finite unless an input is not, or the sum overflows. On an accelerator the
        # question would wait for all work before it.
        suspect = inputs.device.type == "cpu" and not torch.isfinite(inputs.sum())
        if suspect and not torch.isfinite(inputs).all():
            row, feature = torch.nonzero(~torch.isfinite(inputs))[0].tolist()
            raise InputError(
                f"inputs: expected finite numbers, got {inputs[row, feature]} in row {row}, feature {feature}"
            )
        return inputs, context

    def _checked_context(self, context):
        if context is None and not self.context_features:
            return None
        if context is not None:
            context = torch.as_tensor(context)
        if context is None or not self.context_features or context.shape[1:] != (self.context_features,):
            raise InputError(f"context: expected {self._expected_context()}, got {_shape(context)}")
        return context

    def _expected_context(self):
        return f"shape (events, {self.context_features})" if self.context_features else "none"


def _shape(values):
    return "none" if values is None else f"shape {tuple(values.shape)}"


def save(flow, path):
    """Write a flow: name and arguments of its build function, state dict; the file appears whole or not at all."""
    path = Path(path)
    temporary = path.with_name(path.name + ".part")
    name, arguments = flow.recipe
    try:
        torch.save(
            {"format": FILE_FORMAT, "build": name, "arguments": arguments, "state": flow.state_dict()}, temporary
        )
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_file(path, device):
    """(build name, arguments, state dict) of a file; DataError for one that `save` did not write."""
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise DataError(f"path: expected a flow's file, there is none at {path}") from None
    except Exception as error:
        raise DataError(f"path: expected a flow's file at {path}, got one that cannot be read ({error})") from None
    if not isinstance(content, dict) or content.get("format") != FILE_FORMAT:
        raise DataError(f"path: expected a file of format {FILE_FORMAT} at {path}, got another")
    return content["build"], content["arguments"], content["state"]
