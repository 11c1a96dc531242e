"""The course's data sets: `load(name, split)` checks the file against its card and returns named columns with units."""

from hepflows.datasets.cards import FOLDER, Card, card, list_datasets
from hepflows.datasets.table import Table, read_table
from hepflows.errors import DataError, InputError

__all__ = ["Card", "Table", "card", "list_datasets", "load"]


def load(name, split="train", columns=None, folder=FOLDER):
    """Load rows of a data set as a Table; `split` is one that its card names, or "all".

    Raises InputError for an unknown name, split or column and DataError for a file that is missing, changed, truncated
    or laid out differently from its card.
    """
    about = card(name, folder)
    splits = {**about.splits, "all": (0, about.fields["events"])}
    if split not in splits:
        raise InputError(f"split: expected one of {', '.join(splits)}, got {split!r}")
    unknown = [column for column in columns or () if column not in about.columns]
    if unknown:
        raise InputError(f"columns: expected some of {', '.join(about.columns)}, got {', '.join(unknown)}")
    about.verify()
    table = read_table(about.path, columns or list(about.columns), *splits[split], name=name)
    expected = splits[split][1] - splits[split][0]
    if len(table) != expected:
        raise DataError(f"{name}: expected {expected:,} rows in split {split}, got {len(table):,}")
    return table
