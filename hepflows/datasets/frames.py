"""Tables that pandas wrote to HDF5 ("fixed" format), read without pandas and PyTables."""

import h5py
import numpy as np

from hepflows.errors import DataError, MissingExtraError


def read_frame(path, label=None):
    """{column: array} of the one DataFrame in a file; DataError (naming `label`) if there is none, or another format.

    Layout: a group whose attribute pandas_type is "frame" holds, for each block k, the names block{k}_items and the
    values block{k}_values of shape (rows, names).
    """
    label = label or path
    try:
        with h5py.File(path, "r") as file:
            kinds = {name: _text(group.attrs.get("pandas_type", "")) for name, group in file.items()}
            frames = [name for name, kind in kinds.items() if kind == "frame"]
            if len(frames) != 1:
                raise DataError(f"expected one pandas DataFrame in fixed format in {label}, got {kinds or 'nothing'}")
            group = file[frames[0]]
            columns = {}
            for block in range(int(group.attrs["nblocks"])):
                names, values = (group[f"block{block}_{part}"] for part in ("items", "values"))
                check_filters(values, label)
                rows = values[()]
                if rows.ndim != 2 or rows.shape[1] != len(names):
                    raise DataError(
                        f"expected {len(names)} columns in block {block} of {label}, got shape {rows.shape}"
                    )
                columns |= {_text(name): rows[:, k] for k, name in enumerate(names[()])}
    except (OSError, KeyError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"expected a whole HDF5 file with a pandas DataFrame in {label}, got {error}") from None
    return columns


def check_filters(dataset, label):
    """Raise MissingExtraError if a dataset is compressed in a way that this HDF5 library cannot undo by itself."""
    properties = dataset.id.get_create_plist()
    for number in range(properties.get_nfilters()):
        code, _, _, name = properties.get_filter(number)
        if not h5py.h5z.filter_avail(code):
            raise MissingExtraError(
                f"{label} is compressed with {_text(name) or f'HDF5 filter {code}'}, which h5py cannot read by itself: "
                "`pip install hdf5plugin`, set HDF5_PLUGIN_PATH to what `python -c 'import hdf5plugin; "
                "print(hdf5plugin.PLUGIN_PATH)'` prints, and try again"
            )


def _text(value):
    return value.decode() if isinstance(value, bytes | np.bytes_) else str(value)
