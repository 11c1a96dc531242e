"""Data cards: where a data set comes from, how to make it again, what its columns mean, and its checksum."""

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

from hepflows.errors import DataError, InputError

# The data sets stand beside the package in the repository, which is installed in place.
FOLDER = Path(__file__).resolve().parents[2] / "data"

REQUIRED = ("title", "description", "origin", "licence", "command", "file", "sha256", "events", "splits", "columns")


@dataclass(frozen=True)
class Card:
    """A data set's card; `fields` holds what its TOML file says."""

    name: str
    fields: dict
    folder: Path

    @property
    def path(self):
        return self.folder / self.fields["file"]

    @property
    def columns(self):
        """{column: {"unit": ..., "description": ...}}."""
        return self.fields["columns"]

    @property
    def splits(self):
        """{split: (first row, row after the last)}."""
        return {name: tuple(rows) for name, rows in self.fields["splits"].items()}

    def summary(self):
        """One line: name, events, title."""
        return f"{self.name:<16} {self.fields['events']:>9,} events  {self.fields['title']}"

    def text(self):
        """The whole card, for reading."""
        lines = [f"{self.name}: {self.fields['title']}", "", self.fields["description"].strip(), ""]
        for key, value in self.fields.items():
            if key in ("title", "description", "columns", "splits"):
                continue
            lines += _field(key, value)
        lines += ["splits"] + [f"  {name:<12} rows {a:,} to {b:,}" for name, (a, b) in self.splits.items()]
        width = max(len(column) for column in self.columns)
        lines += ["columns"]
        lines += [
            f"  {name:<{width}}  [{about['unit']}]  {about['description']}" for name, about in self.columns.items()
        ]
        return "\n".join(lines)

    def verify(self):
        """Raise DataError unless the file is the one that the card describes (sha256)."""
        if not self.path.is_file():
            raise DataError(f"{self.name}: expected the file {self.path}, there is none; {self._remedy()}")
        found = sha256_of(self.path)
        if found != self.fields["sha256"]:
            raise DataError(
                f"{self.name}: expected {self.path} with sha256 {self.fields['sha256']}, got {found}: the file was "
                f"changed or broken off; {self._remedy()}"
            )

    def _remedy(self):
        if "doi" in self.fields:
            return f"fetch it again with `{self.fields['command']}`"
        fetch = f"git checkout data/{self.fields['file']}"
        return f"restore it with `{fetch}` or make it again with `{self.fields['command']}`"


def sha256_of(path):
    """Checksum of a file, read piece by piece: some are larger than what the memory should hold twice."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _field(key, value):
    if isinstance(value, dict):
        return [key] + [f"  {name}: {entry}" for name, entry in value.items()]
    if isinstance(value, list):
        return [key] + [f"  - {entry}" for entry in value]
    return [f"{key}: {value}" if "\n" not in str(value).strip() else f"{key}:\n{str(value).strip()}"]


def list_datasets(folder=FOLDER):
    """Names of the data sets that have a card."""
    return sorted(path.stem for path in Path(folder).glob("*.toml"))


def card(name, folder=FOLDER):
    """The card of a data set; InputError for an unknown name, DataError for a card that lacks an entry."""
    path = Path(folder) / f"{name}.toml"
    if name not in list_datasets(folder):
        raise InputError(
            f"name: expected one of {', '.join(list_datasets(folder)) or 'none'} (in {folder}), got {name!r}"
        )
    fields = tomllib.loads(path.read_text(encoding="utf-8"))
    missing = [key for key in REQUIRED if key not in fields]
    if missing:
        raise DataError(f"{name}: expected the entries {', '.join(missing)} in {path}, they are missing")
    return Card(name, fields, Path(folder))
