"""Evaluate an expensive function only where cuts are passed, in pieces that stay in the processor's cache."""

import torch

EVENTS_OF_PIECE = (32_768, 8_192, 4_096, 4_096)  # by the number of gluons or jets


def evaluate_where(passes, function, *arguments, jets=3):
    """function(*arguments) where `passes` (events,), zero elsewhere: (events,).

    The last axis of every argument runs over events; `function` gives one number for each. `jets`: how much memory an
    event takes.
    """
    rows = passes.nonzero()[:, 0]
    like = arguments[-1]
    result = torch.zeros(len(passes), dtype=like.dtype, device=like.device)
    if not len(rows):
        return result
    if len(rows) == len(passes) <= EVENTS_OF_PIECE[jets]:
        return function(*arguments)
    pieces = [function(*(a[..., piece].contiguous() for a in arguments)) for piece in rows.split(EVENTS_OF_PIECE[jets])]
    return result.index_put((rows,), torch.cat(pieces))
