"""The course's data sets: `load(name, split)` checks the file against its card and returns named columns with units.

Some ship with the course; the public originals of the field are loaded in the same way once they are downloaded.
"""

from hepflows.datasets.cards import Card, list_datasets
from hepflows.datasets.dijets import dijets_source, load_dijets
from hepflows.datasets.downloads import download, downloads_folder
from hepflows.datasets.loading import card, load
from hepflows.datasets.public import PUBLIC
from hepflows.datasets.table import Table

__all__ = [
    "Card",
    "Table",
    "card",
    "dijets_source",
    "download",
    "downloads_folder",
    "list_datasets",
    "list_public",
    "load",
    "load_dijets",
]


def list_public():
    """{name: title} of the public data sets that `download` fetches."""
    return {name: public.title for name, public in PUBLIC.items()}
