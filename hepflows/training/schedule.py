"""What changes from step to step of every training: the learning rate, and an average of the weights."""

import math

from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def fraction_done(steps, total, elapsed, seconds):
    """How much of a training is over, 0 to 1: of its `total` steps or of its time, whichever is nearer to its end.

    total and seconds: None for no bound.
    """
    return max(steps / total if total else 0.0, min(1.0, elapsed / seconds) if seconds else 0.0)


def set_cosine_rate(optimizer, learning_rate, done):
    """lr = learning_rate (1 + cos(pi done)) / 2: from learning_rate at the start to zero at the end."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * (1 + math.cos(math.pi * done)) / 2


def moving_average(module, decay, steps):
    """Exponential moving average of a module's weights; `steps()` says how many steps are done.

    The decay of the first steps is lower, steps / (steps + 10), so that the start is soon forgotten.
    """

    def update(averaged, current, _):
        done = steps()
        get_ema_multi_avg_fn(min(decay, done / (done + 10)))(averaged, current, _)

    return AveragedModel(module, multi_avg_fn=update)
