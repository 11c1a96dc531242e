"""What the files of public data sets must look like, and how they become the columns of the course.

`read_*` takes {name in the archive: path} and returns an `Original`; it raises DataError for a file that is laid out
otherwise. The names, shapes and units are those that published programs expect which read these files (for the showers,
CaloFlow's; for the dijets, CATHODE's). They are checked here, in each file, because nothing else vouches for them.
"""

import re
from contextlib import contextmanager
from dataclasses import dataclass, field

import h5py
import numpy as np

from hepflows.datasets.frames import check_filters, read_frame
from hepflows.errors import DataError

LAYER_SHAPES = {"layer_0": (3, 96), "layer_1": (12, 12), "layer_2": (12, 6)}
MEV = 1e-3  # GeV
JET_COLUMNS = tuple(f"{name}{jet}" for jet in ("j1", "j2") for name in ("px", "py", "pz", "m", "tau1", "tau2"))
# Fractions of the rows, where the originals are not split by their authors.
FRACTIONS = {"train": (0.0, 0.7), "validation": (0.7, 0.8), "test": (0.8, 1.0)}
ROLES = {"train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation"}
ROLES |= {"test": "test", "testing": "test"}


@dataclass(frozen=True)
class Original:
    """Columns of a public data set, {split: (first row, row after the last)}, and what was done to the rows."""

    arrays: dict
    splits: dict
    notes: list = field(default_factory=list)


def words(name):
    """Lower-case words of the name of a file: eplus/train_1.hdf5 -> eplus, train, 1, hdf5."""
    return set(re.split(r"[^a-z0-9]+", name.lower()))


def read_showers(originals):
    """Calorimeter showers of CaloGAN's layout: energies of 504 cells in MeV and of the particle in GeV."""
    roles = {}
    for name in originals:
        named = {ROLES[word] for word in words(name) & set(ROLES)}
        roles.setdefault(named.pop() if len(named) == 1 else "all", []).append(name)
    if any(len(names) > 1 for names in roles.values()) or ("all" in roles and len(roles) > 1):
        raise DataError(
            f"expected one file, or one each for train, validation and test, got {', '.join(originals)}; say with "
            "--files which ones to take"
        )
    order = [role for role in ("all", "train", "validation", "test") if role in roles]
    parts = {role: _showers_of(roles[role][0], originals[roles[role][0]]) for role in order}
    arrays = {name: np.concatenate([part[name] for part in parts.values()]) for name in ("energy", *LAYER_SHAPES)}
    return Original(arrays, _splits({role: len(part["energy"]) for role, part in parts.items()}))


def _showers_of(label, path):
    with _open(label, path) as file:
        missing = [name for name in ("energy", *LAYER_SHAPES) if name not in file]
        if missing:
            raise DataError(f"expected the columns {', '.join(missing)} in {label}, it has {', '.join(file)}")
        if "label" in file:  # samples for a classifier: simulated and generated showers in one file
            raise DataError(f"expected simulated showers in {label}, got a mixture with the column label")
        events = file["energy"].shape[0]
        expected = {name: [(events, *shape)] for name, shape in LAYER_SHAPES.items()}
        for name, shapes in ({"energy": [(events,), (events, 1)]} | expected).items():
            if file[name].shape not in shapes:
                raise DataError(f"expected {name} of shape {shapes[0]} in {label}, got {file[name].shape}")
            check_filters(file[name], label)
        showers = {name: (file[name][()] * MEV).astype(np.float32) for name in LAYER_SHAPES}
        showers["energy"] = file["energy"][()].reshape(events).astype(np.float32)
    deposited = sum(layer.sum(axis=(1, 2), dtype=np.float64) for layer in showers.values() if layer.ndim == 3)
    largest = np.quantile(deposited / showers["energy"], 0.99)
    if not 0.5 < largest < 1.5:  # wrong by 1000 if the units are not those that we take them for
        raise DataError(
            f"expected layers in MeV and energy in GeV in {label}, where showers deposit up to their energy, "
            f"got up to {largest:.2g} of it"
        )
    return showers


def _splits(rows):
    """{split: rows} of files that follow each other, given their numbers of rows by role."""
    if rows.keys() == {"all"} or rows.keys() == {"train"}:  # one file: split by us
        events = sum(rows.values())
        return {name: (round(a * events), round(b * events)) for name, (a, b) in FRACTIONS.items()}
    splits, start = {}, 0
    for role, events in rows.items():
        splits[role] = (start, start + events)
        start += events
    if "train" in splits and "validation" not in splits:  # the last tenth of what is for training
        first, last = splits["train"]
        cut = last - (last - first) // 10
        splits |= {"train": (first, cut), "validation": (cut, last)}
    return splits


def read_dijets(originals):
    """Dijet events of the LHC Olympics with a label: 1 for the signal, 0 for QCD."""
    columns = _jet_columns(originals, ("label",))
    label = columns["label"]
    if not np.isin(label, (0, 1)).all():
        raise DataError(f"expected labels 0 and 1, got {np.unique(label)[:5]}")
    return _dijets(columns, signal=label.astype(np.uint8))


def read_background_dijets(originals):
    """Dijet events of the LHC Olympics that are all QCD."""
    return _dijets(_jet_columns(originals, ()))


def _jet_columns(originals, further):
    ((label, path),) = originals.items()
    columns = read_frame(path, label)
    missing = [name for name in (*JET_COLUMNS, *further) if name not in columns]
    if missing:
        raise DataError(f"expected the columns {', '.join(missing)} in {label}, it has {', '.join(columns)}")
    return {name: columns[name].astype(np.float64) for name in (*JET_COLUMNS, *further)}


def _dijets(columns, **further):
    momentum, mass, ratio, energy = [], [], [], []
    for jet in ("j1", "j2"):
        momentum.append(np.stack([columns[f"{axis}{jet}"] for axis in ("px", "py", "pz")], axis=1))
        mass.append(columns[f"m{jet}"])
        energy.append(np.sqrt((momentum[-1] ** 2).sum(axis=1) + mass[-1] ** 2))
        tau1, tau2 = columns[f"tau1{jet}"], columns[f"tau2{jet}"]
        # A jet of one particle has tau_1 = 0: its ratio is 0, as in our own dijets.
        ratio.append(np.divide(tau2, tau1, out=np.where(np.isnan(tau1 + tau2), np.nan, 0.0), where=tau1 > 0))
    mass, ratio = np.stack(mass, axis=1), np.stack(ratio, axis=1)
    order = np.argsort(mass, axis=1, kind="stable")  # the lighter jet first
    mass, ratio = (np.take_along_axis(values, order, axis=1) for values in (mass, ratio))
    arrays = {
        "m_jj": np.sqrt(np.maximum(sum(energy) ** 2 - (sum(momentum) ** 2).sum(axis=1), 0.0)),
        "m_j1": mass[:, 0],
        "delta_m": mass[:, 1] - mass[:, 0],
        "tau21_j1": ratio[:, 0],
        "tau21_j2": ratio[:, 1],
    } | further
    whole = np.all([np.isfinite(values) for values in arrays.values()], axis=0)
    arrays = {name: values[whole] for name, values in arrays.items()}
    typical = np.median(arrays["m_jj"])
    if not 1e3 < typical < 1e4:
        raise DataError(f"expected momenta in GeV, with m_jj of some TeV, got a median of {typical:.3g}")
    rows, splits = _stratified(arrays.get("signal", np.zeros(whole.sum(), np.uint8)))
    lost = np.count_nonzero(~whole)
    notes = [f"{lost:,} events with a value that is not finite are left out"] if lost else []
    return Original({name: values[rows] for name, values in arrays.items()}, splits, notes)


def _stratified(label):
    """Order of the rows, and the splits: each split has its fraction of each class, in the order of the original."""
    split_of = np.empty(len(label), np.int8)
    for value in np.unique(label):
        rows = np.flatnonzero(label == value)
        for number, (first, last) in enumerate(FRACTIONS.values()):
            split_of[rows[round(first * len(rows)) : round(last * len(rows))]] = number
    ends = np.cumsum([np.count_nonzero(split_of == number) for number in range(len(FRACTIONS))]).tolist()
    splits = dict(zip(FRACTIONS, zip([0, *ends[:-1]], ends, strict=True), strict=True))
    return np.argsort(split_of, kind="stable"), splits


@contextmanager
def _open(label, path):
    try:
        with h5py.File(path, "r") as file:
            yield file
    except OSError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"expected a whole HDF5 file, {label} cannot be read ({error})") from None
