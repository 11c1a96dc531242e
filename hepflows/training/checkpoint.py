"""Checkpoints of a training: written whole or not at all, and refused if they belong to another training."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import torch
from torch import nn

from hepflows.errors import DataError, InputError

FILE_FORMAT = "hepflows-training-1"


def write(path: Path, content: dict) -> None:
    """Write tensors and plain data; whoever is killed meanwhile leaves the previous file as it was."""
    temporary = path.with_name(path.name + ".part")
    try:
        torch.save({"format": FILE_FORMAT, **content}, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path, settings: dict) -> dict | None:
    """Content of a checkpoint of the same training, or None if there is no file.

    Raises:
        DataError: the file is no checkpoint or is damaged.
        InputError: the file belongs to a training with other settings, data or architecture; all differences are named.
    """
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises whatever the damaged bytes lead it to
        raise DataError(
            f"checkpoint: expected a whole checkpoint at {path}, got one that cannot be read: {error}"
        ) from None
    if not isinstance(content, dict) or content.get("format") != FILE_FORMAT:
        raise DataError(f"checkpoint: expected a file of format {FILE_FORMAT} at {path}, got another")
    differences = [
        f"{name} was {content['settings'].get(name, 'absent')}, now {settings.get(name, 'absent')}"
        for name in dict.fromkeys([*settings, *content["settings"]])
        if content["settings"].get(name) != settings.get(name)
    ]
    if differences:
        shown = "; ".join(differences[:5]) + (f"; and {len(differences) - 5} more" if len(differences) > 5 else "")
        raise InputError(
            f"checkpoint: expected one of this training at {path}, got one that differs: {shown}. "
            "Repeat the call that wrote it, choose another path, or delete the file to start anew."
        )
    return content


def architecture(flow: nn.Module) -> dict[str, str]:
    """Shape of every tensor, class and continuous options (bounds, dropout) of every layer, recipe of the whole.

    The class and attributes of the flow itself are left out: a user may wrap it or count something in it.
    """
    described = {
        f"flow tensor {name}": f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
        for name, tensor in flow.state_dict().items()
    }
    for name, module in flow.named_modules():
        if name:
            options = {option: value for option, value in vars(module).items() if isinstance(value, float)}
            described[f"flow layer {name}"] = f"{type(module).__name__} {options or ''}".strip()
    described["flow recipe"] = str(getattr(flow, "recipe", None))
    return described


def fingerprint(*tensors: torch.Tensor | None) -> str:
    """SHA-256 of shapes and values, to recognise the data of a training."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(b"none" if tensor is None else str(tuple(tensor.shape)).encode())
        if tensor is not None:
            digest.update(tensor.detach().cpu().contiguous().numpy())
    return digest.hexdigest()
