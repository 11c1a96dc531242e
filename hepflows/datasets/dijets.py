"""The three samples of a bump hunt: of the LHC Olympics where they are downloaded, otherwise those that ship."""

from pathlib import Path

from hepflows.datasets.downloads import downloads_folder
from hepflows.datasets.loading import load
from hepflows.datasets.table import Table
from hepflows.errors import InputError

PUBLIC_FILES = {
    "background": "lhc_olympics",
    "signal_region": "lhc_olympics_extra_background",
    "signal": "lhc_olympics",
}


def dijets_source():
    """Which dijets `load_dijets` gives: "lhc_olympics" if both of its files are downloaded, else "dijets", ours."""
    folder = Path(downloads_folder())
    return "lhc_olympics" if all((folder / f"{name}.toml").is_file() for name in PUBLIC_FILES.values()) else "dijets"


def load_dijets(kind, split="train"):
    """Rows of one sample of a bump hunt as a Table with m_jj, m_j1, delta_m, tau21_j1 and tau21_j2.

    Args:
        kind: "background", "signal_region" (more background, in the signal region only) or "signal".
        split: one that the data set's card names, or "all".

    Raises InputError for an unknown kind, and as `load`.
    """
    if kind not in PUBLIC_FILES:
        raise InputError(f"kind: expected one of {', '.join(PUBLIC_FILES)}, got {kind!r}")
    if dijets_source() == "dijets":
        return load(f"dijets_{kind}", split)
    table = load(PUBLIC_FILES[kind], split)
    if kind == "signal_region":
        return table
    rows = table["signal"] == (kind == "signal")
    kept = [column for column in table.columns if column != "signal"]
    return Table({column: table[column][rows] for column in kept}, table.units, f"{table.name}, {kind}")
