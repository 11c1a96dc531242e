"""Columns with units, in memory and in HDF5.

HDF5 holds every data set of the course: columns have names and units in the file itself, a slice is read without the
rest, the shuffle filter packs floats well, and the public originals of the field come in the same format.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from hepflows.errors import DataError, InputError


@dataclass(frozen=True)
class Column:
    """Name, unit, meaning and storage type of one column.

    `mantissa_bits` (float columns): how many explicit bits of the mantissa are stored; rounding to b bits changes a
    value by at most a fraction 2^-(b+1), and lets the file shrink.
    """

    name: str
    unit: str
    description: str
    dtype: str = "float32"
    mantissa_bits: int | None = None

    def stored(self, values):
        """Values as this column stores them; raises InputError for a non-finite value or one that does not fit."""
        values = np.asarray(values)
        if not np.all(np.isfinite(values)):
            raise InputError(f"column {self.name!r}: expected finite values, got {values[~np.isfinite(values)][0]}")
        converted = values.astype(self.dtype)
        if np.issubdtype(converted.dtype, np.integer) and not np.array_equal(converted, values):
            raise InputError(f"column {self.name!r}: expected integers that fit {self.dtype}, got others")
        return converted if self.mantissa_bits is None else round_mantissa(converted, self.mantissa_bits)


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
        """The named columns side by side: float32 array of shape (events, columns)."""
        return np.stack([self[column] for column in columns], axis=1).astype(np.float32)

    def __repr__(self):
        return f"Table({self.name}: {len(self):,} events; {', '.join(self._columns)})"


def write_table(path, arrays, columns, attributes):
    """Write the columns to an HDF5 file that appears whole or not at all; the same input gives the same bytes."""
    path = Path(path)
    temporary = path.with_name(path.name + ".part")
    try:
        with h5py.File(temporary, "w", libver=("v110", "v110"), track_order=True) as file:
            file.attrs.update(attributes)
            for column in columns:
                dataset = file.create_dataset(
                    column.name,
                    data=column.stored(arrays[column.name]),
                    chunks=True,
                    compression="gzip",
                    compression_opts=9,
                    shuffle=True,
                )
                dataset.attrs["unit"] = column.unit
                dataset.attrs["description"] = column.description
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


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
            arrays = {column: file[column][start:stop] for column in names}
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
