"""Columns with units, in memory and in HDF5.

HDF5 holds every data set of the course: columns have names and units in the file itself, a slice is read without the
rest, the shuffle filter packs floats well, and the public originals of the field come in the same format.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from hepflows.errors import DataError, InputError


@dataclass(frozen=True)
class Column:
    """Name, unit, meaning and storage type of one column.

    `shape` of one row's entry: () for a number, (3, 96) for an image of cells. Float columns can be stored coarser:
    `mantissa_bits` explicit bits of the mantissa change a value by at most a fraction 2^-(b+1); `levels`, increasing
    values of which the nearest is stored (by its number, in 16 bits), are for quantities with many zeros.
    """

    name: str
    unit: str
    description: str
    dtype: str = "float32"
    mantissa_bits: int | None = None
    shape: tuple[int, ...] = ()
    levels: np.ndarray | None = field(default=None, compare=False, repr=False)

    def stored(self, values):
        """Values as this column stores them; raises InputError for a non-finite value or one that does not fit."""
        values = np.asarray(values)
        if values.shape[1:] != self.shape:
            raise InputError(f"column {self.name!r}: expected rows of shape {self.shape}, got {values.shape[1:]}")
        if not np.all(np.isfinite(values)):
            raise InputError(f"column {self.name!r}: expected finite values, got {values[~np.isfinite(values)][0]}")
        converted = values.astype(self.dtype)
        if np.issubdtype(converted.dtype, np.integer) and not np.array_equal(converted, values):
            raise InputError(f"column {self.name!r}: expected integers that fit {self.dtype}, got others")
        if self.levels is not None:
            return self.levels.astype(self.dtype)[self._codes(values)]
        return converted if self.mantissa_bits is None else round_mantissa(converted, self.mantissa_bits)

    def _codes(self, values):
        """Numbers of the nearest levels: 16-bit integers of the shape of `values`."""
        levels = self.levels.astype(self.dtype).astype(np.float64)
        if len(levels) > 2**16 or np.any(np.diff(levels) <= 0):
            raise InputError(f"column {self.name!r}: expected at most 65,536 increasing levels, got {len(levels)}")
        if values.size and not levels[0] <= np.min(values) <= np.max(values) <= levels[-1]:
            raise InputError(
                f"column {self.name!r}: expected values from {levels[0]:g} to {levels[-1]:g}, "
                f"got {np.min(values):g} to {np.max(values):g}"
            )
        return np.searchsorted((levels[1:] + levels[:-1]) / 2, values).astype(np.uint16)

    def written(self, values):
        """What stands in the file for `values`: themselves as stored, or the numbers of their levels."""
        stored = self.stored(values)
        return stored if self.levels is None else self._codes(stored)


def round_mantissa(values, bits):
    """Round float32 values to `bits` explicit mantissa bits: |rounded / value - 1| <= 2^-(bits + 1)."""
    values = np.asarray(values)
    if values.dtype != np.float32 or not 1 <= bits <= 23:
        raise InputError(f"round_mantissa: expected float32 and 1 to 23 bits, got {values.dtype} and {bits}")
    dropped = 23 - bits
    if dropped == 0:
        return values
    integers = values.view(np.uint32).astype(np.uint64)
    rounded = (integers + (1 << (dropped - 1))) >> dropped << dropped
    return rounded.astype(np.uint32).view(np.float32)


class Table:
    """Named columns of equal length, with units: table["x1"] is an array, table.array("x1", "x2") a matrix."""

    def __init__(self, columns, units, name="table"):
        self._columns = dict(columns)
        self.units = {column: units[column] for column in self._columns}
        self.name = name
        lengths = {len(values) for values in self._columns.values()}
        if len(lengths) != 1:
            raise InputError(f"{name}: expected columns of one length, got lengths {sorted(lengths)}")
        self._events = lengths.pop()

    @property
    def columns(self):
        return tuple(self._columns)

    def __getitem__(self, column):
        try:
            return self._columns[column]
        except KeyError:
            raise InputError(f"{self.name}: no column {column!r}; it has {', '.join(self._columns)}") from None

    def __len__(self):
        """Number of events (rows)."""
        return self._events

    def array(self, *columns):
        """The named columns side by side: float32 array of shape (events, columns); images of cells are unrolled."""
        return np.concatenate([self[column].reshape(len(self), -1) for column in columns], axis=1).astype(np.float32)

    def __repr__(self):
        return f"Table({self.name}: {len(self):,} events; {', '.join(self._columns)})"


# Images of cells are read by rows: small chunks keep a range of rows cheap.
ROWS_IN_CHUNK = 512


def write_table(path, arrays, columns, attributes):
    """Write the columns to an HDF5 file that appears whole or not at all; the same input gives the same bytes."""
    path = Path(path)
    temporary = path.with_name(path.name + ".part")
    try:
        _reserve(temporary, sum(np.asarray(arrays[column.name]).nbytes for column in columns))
        with h5py.File(temporary, "w", libver=("v110", "v110"), track_order=True) as file:
            file.attrs.update(attributes)
            for column in columns:
                values = column.written(arrays[column.name])
                dataset = file.create_dataset(
                    column.name,
                    data=values,
                    chunks=(min(len(values), ROWS_IN_CHUNK), *column.shape) if column.shape else True,
                    compression="gzip",
                    compression_opts=9,
                    shuffle=True,
                )
                dataset.attrs["unit"] = column.unit
                dataset.attrs["description"] = column.description
                if column.levels is not None:
                    dataset.attrs["levels"] = column.levels.astype(column.dtype)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _reserve(path, size):
    """Take the space for a moment, or raise OSError: HDF5 crashes on a disk that becomes full while it writes."""
    with open(path, "wb") as file:
        if size and hasattr(os, "posix_fallocate"):  # Linux
            os.posix_fallocate(file.fileno(), 0, size)


def read_table(path, columns=None, start=0, stop=None, name=None):
    """Read columns (all, or those named) of rows start..stop from an HDF5 file of the course as a Table.

    Raises DataError for a missing, truncated or foreign file and for a column that it does not have.
    """
    path = Path(path)
    name = name or path.stem
    try:
        with h5py.File(path, "r") as file:
            missing = [column for column in columns or () if column not in file]
            if missing:
                raise DataError(f"{name}: expected column {', '.join(missing)} in {path}, it has {', '.join(file)}")
            names = list(columns or file)
            arrays = {column: _read_column(file[column], start, stop) for column in names}
            units = {column: str(file[column].attrs.get("unit", "")) for column in names}
    except FileNotFoundError:
        raise DataError(f"{name}: expected the file {path}, there is none") from None
    except OSError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{name}: expected a whole HDF5 file at {path}, got one that cannot be read ({error})"
        ) from None
    return Table(arrays, units, name)


def _read_column(dataset, start, stop):
    values = dataset[start:stop]
    return dataset.attrs["levels"][values] if "levels" in dataset.attrs else values
