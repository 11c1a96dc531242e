"""Tables, cards and the loader: what is stored comes back, and every damage gives its error."""

import hashlib
import shutil

import h5py
import numpy as np
import pytest

from hepflows import datasets
from hepflows.datasets.table import Column, read_table, round_mantissa, write_table
from hepflows.errors import DataError, InputError

COLUMNS = (
    Column("energy", "GeV", "an energy", mantissa_bits=13),
    Column("count", "1", "a count", dtype="uint8"),
)


def arrays(events=1000):
    rng = np.random.default_rng(1)
    return {"energy": rng.exponential(100, events), "count": rng.integers(0, 9, events)}


@pytest.fixture
def folder(tmp_path):
    """A data folder with one small data set, "toy"."""
    write_table(tmp_path / "toy.h5", arrays(), COLUMNS, {"seed": 1})
    card = f"""
        title = "Toy"
        description = "For tests."
        origin = "random numbers"
        licence = "CC0"
        command = "make toy"
        file = "toy.h5"
        sha256 = "{hashlib.sha256((tmp_path / "toy.h5").read_bytes()).hexdigest()}"
        events = 1000
        splits = {{train = [0, 800], test = [800, 1000]}}
        columns.energy = {{unit = "GeV", description = "an energy"}}
        columns.count = {{unit = "1", description = "a count"}}
    """
    (tmp_path / "toy.toml").write_text(card)
    return tmp_path


@pytest.mark.parametrize("bits", [1, 7, 13, 23])
def test_rounding_stays_within_its_bound(bits):
    values = np.random.default_rng(2).lognormal(0, 5, 100_000).astype(np.float32) * np.float32(-1)
    rounded = round_mantissa(values, bits)
    # Independent of the bit tricks: divided by the power of two of each value, a multiple of 2^-bits is left.
    mantissa, _ = np.frexp(rounded.astype(np.float64))
    assert np.all(mantissa * 2 ** (bits + 1) % 1 == 0)
    bound = 2.0 ** -(bits + 1) if bits < 23 else 0.0
    assert np.abs(rounded.astype(np.float64) / values - 1).max() <= bound


def test_written_table_comes_back(tmp_path):
    write_table(tmp_path / "a.h5", arrays(), COLUMNS, {"seed": 1})
    table = read_table(tmp_path / "a.h5", start=10, stop=20)
    assert table.columns == ("energy", "count")
    assert table.units == {"energy": "GeV", "count": "1"}
    assert len(table) == 10
    np.testing.assert_allclose(table["energy"], arrays()["energy"][10:20], rtol=2**-14)
    np.testing.assert_array_equal(table["count"], arrays()["count"][10:20])
    assert table.array("count", "energy").shape == (10, 2)
    write_table(tmp_path / "b.h5", arrays(), COLUMNS, {"seed": 1})
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("energy", np.nan, "column 'energy': expected finite"),
        ("count", 300, "column 'count': expected integers that fit"),
    ],
)
def test_values_that_cannot_be_stored_leave_no_file(tmp_path, column, value, message):
    bad = arrays()
    bad[column][3] = value
    with pytest.raises(InputError, match=message):
        write_table(tmp_path / "a.h5", bad, COLUMNS, {})
    assert list(tmp_path.iterdir()) == []


def test_load_gives_the_rows_of_a_split(folder):
    assert datasets.list_datasets(folder) == ["toy"]
    assert len(datasets.load("toy", "train", folder=folder)) == 800
    test = datasets.load("toy", "test", ["count"], folder=folder)
    assert test.columns == ("count",)
    np.testing.assert_array_equal(test["count"], arrays()["count"][800:])
    text = datasets.card("toy", folder).text()
    assert all(part in text for part in ("For tests.", "energy", "[GeV]", "rows 800 to 1,000", "licence: CC0"))


def test_wrong_names_say_what_there_is(folder):
    with pytest.raises(InputError, match="name: expected one of toy .*, got 'tea'"):
        datasets.load("tea", folder=folder)
    with pytest.raises(InputError, match="split: expected one of train, test, all, got 'validate'"):
        datasets.load("toy", "validate", folder=folder)
    with pytest.raises(InputError, match="columns: expected some of energy, count, got mass"):
        datasets.load("toy", columns=["mass"], folder=folder)
    with pytest.raises(InputError, match="toy: no column 'mass'; it has energy, count"):
        datasets.load("toy", folder=folder)["mass"]


def rewrite_checksum(folder):
    card = (folder / "toy.toml").read_text()
    old = card.split('sha256 = "')[1][:64]
    (folder / "toy.toml").write_text(card.replace(old, hashlib.sha256((folder / "toy.h5").read_bytes()).hexdigest()))


def test_damaged_files_are_refused(folder):
    file = folder / "toy.h5"
    good = file.read_bytes()
    file.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(DataError, match="sha256 .* changed or broken off; restore it with `git checkout"):
        datasets.load("toy", folder=folder)
    file.write_bytes(good[: len(good) // 2])
    with pytest.raises(DataError, match="sha256"):
        datasets.load("toy", folder=folder)
    rewrite_checksum(folder)
    with pytest.raises(DataError, match="expected a whole HDF5 file"):
        datasets.load("toy", folder=folder)
    file.unlink()
    with pytest.raises(DataError, match="there is none"):
        datasets.load("toy", folder=folder)


def test_wrong_layout_is_refused(folder):
    with h5py.File(folder / "toy.h5", "a") as file:
        del file["count"]
    rewrite_checksum(folder)
    with pytest.raises(DataError, match="expected column count in .*, it has energy"):
        datasets.load("toy", folder=folder)
    write_table(folder / "toy.h5", arrays(900), COLUMNS, {})
    rewrite_checksum(folder)
    with pytest.raises(DataError, match="expected 200 rows in split test, got 100"):
        datasets.load("toy", "test", folder=folder)


def test_card_without_an_entry_is_refused(folder):
    card = (folder / "toy.toml").read_text()
    (folder / "toy.toml").write_text(card.replace("licence", "license"))
    with pytest.raises(DataError, match="expected the entries licence"):
        datasets.card("toy", folder)


def test_shipped_data_sets_match_their_cards():
    names = datasets.list_datasets()
    assert "gluon_momenta" in names
    for name in names:
        table = datasets.load(name, "all")
        card = datasets.card(name)
        assert list(table.columns) == list(card.columns)
        assert table.units == {column: about["unit"] for column, about in card.columns.items()}
        rows = sorted(card.splits.values())
        if not rows:  # a table of nodes
            continue
        assert rows[0][0] == 0
        assert rows[-1][1] == card.fields["events"] == len(table)
        assert all(a[1] == b[0] for a, b in zip(rows[:-1], rows[1:], strict=True))


def test_copied_data_folder_works(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for path in folder.iterdir():
        shutil.copy(path, elsewhere)
    assert len(datasets.load("toy", "all", folder=elsewhere)) == 1000
