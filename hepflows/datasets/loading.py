"""`load(name, split)`: rows of a data set, checked against its card, whether it ships or was downloaded."""

from pathlib import Path

from hepflows.datasets import cards
from hepflows.datasets.cards import list_datasets
from hepflows.datasets.downloads import downloads_folder
from hepflows.datasets.public import PUBLIC
from hepflows.datasets.table import read_table
from hepflows.errors import DataError, InputError


def card(name, folder=None):
    """The card of a data set that ships or was downloaded, or of one in `folder`.

    Raises InputError for an unknown name, DataError for a data set that is not downloaded and for a broken card.
    """
    if folder is not None:
        return cards.card(name, folder)
    if name not in PUBLIC:
        if name not in list_datasets():
            known = ", ".join(list_datasets())
            raise InputError(f"name: expected one of {known} or the public {', '.join(PUBLIC)}, got {name!r}")
        return cards.card(name)
    folder = downloads_folder()
    if not (Path(folder) / f"{name}.toml").is_file():
        raise DataError(
            f"{name}: expected the downloaded data set in {folder}, it is not there; "
            f"`hepflows data download {name}` fetches it, and HEPFLOWS_DATA names another folder"
        )
    return cards.card(name, folder)


def load(name, split="train", columns=None, folder=None):
    """Load rows of a data set as a Table; `split` is one that its card names, or "all".

    Raises InputError for an unknown name, split or column and DataError for a file that is missing, changed, truncated
    or laid out differently from its card, and for a public data set that is not downloaded.
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
