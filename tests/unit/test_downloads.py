"""Public data sets: a local server plays the archive, with files of the originals' layout and all that breaks."""

import hashlib
import io
import json
import re
import socket
import sys
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import h5py
import numpy as np
import pytest

from hepflows import datasets
from hepflows.datasets import transfer
from hepflows.datasets.public import PUBLIC
from hepflows.datasets.transfer import PIECE_BYTES
from hepflows.errors import DataError, InputError, MissingExtraError

pooch = pytest.importorskip("pooch")

ROOT = Path(__file__).resolve().parents[2]
FEATURES = PUBLIC["lhc_olympics"].choose(["events_anomalydetection_v2.features.h5"])[0]
EXTRA = PUBLIC["lhc_olympics_extra_background"].choose(["events_anomalydetection_qcd_extra_inneronly_features.h5"])[0]
JETS = ("pxj1", "pyj1", "pzj1", "mj1", "tau1j1", "tau2j1", "tau3j1", "pxj2", "pyj2", "pzj2", "mj2", "tau1j2", "tau2j2")


class Archive(BaseHTTPRequestHandler):
    """Zenodo, small: /api/records/ID lists the files, /files/NAME gives them, in ranges unless told otherwise."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.requests.append((self.path, self.headers.get("Range")))
        if self.path.startswith("/api/records/"):
            return self.answer(200, json.dumps(server.record()).encode())
        content = server.files.get(self.path.removeprefix("/files/"))
        if server.refusals:
            return self.answer(server.refusals.pop(0), b"not now")
        if content is None:
            return self.answer(404, b"")
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked and server.ranges else 0
        if asked and start >= len(content):
            return self.answer(416, b"")
        limit = server.limits.pop(0) if server.limits else None
        self.answer(206 if asked and server.ranges else 200, content[start:], limit)

    def answer(self, status, body, limit=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:limit])
        if limit is not None:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    """`files` {name: bytes}, and faults to play.

    `sums` {name: md5 that is not the file's}; `refusals`: status codes of the next requests for a file; `limits`: bytes
    after which the next ones break off; `ranges`: whether parts can be asked for; `listing`: what comes for the list.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Archive)
        self.files, self.sums, self.requests, self.refusals, self.limits = {}, {}, [], [], []
        self.ranges, self.listing = True, None
        self.url = f"http://127.0.0.1:{self.server_port}"

    def record(self):
        if self.listing is not None:
            return self.listing
        entries = [
            {
                "key": name,
                "size": len(content),
                "checksum": "md5:" + self.sums.get(name, hashlib.md5(content).hexdigest()),
                "links": {"self": f"{self.url}/files/{name}"},
            }
            for name, content in self.files.items()
        ]
        return {"id": 1, "metadata": {"license": {"id": "cc-by-4.0"}}, "files": entries}

    def ranges_of(self, name):
        return [asked for path, asked in self.requests if path == f"/files/{name}"]


@pytest.fixture
def archive(monkeypatch):
    server = Server()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    monkeypatch.setattr(pooch.downloaders.ZenodoRepository, "base_api_url", f"{server.url}/api/records")
    monkeypatch.setattr(pooch.downloaders, "doi_to_url", lambda doi, **_: f"https://zenodo.org/records/{doi[-7:]}")
    monkeypatch.setattr(transfer, "PAUSE_SECONDS", 0.0)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The user's folder of downloaded data, not there yet."""
    monkeypatch.setenv("HEPFLOWS_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def names_in(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def hdf5(columns):
    """Bytes of an HDF5 file with the datasets of {name: array}."""
    with io.BytesIO() as buffer:
        with h5py.File(buffer, "w") as file:
            for name, values in columns.items():
                file[name] = values
        return buffer.getvalue()


def showers(events=40, seed=1, **changes):
    """Columns of CaloGAN's layout: energies in GeV, cells in MeV that add up to 90 % of it."""
    rng = np.random.default_rng(seed)
    energy = rng.uniform(1, 100, (events, 1))
    cells = rng.exponential(size=(events, 504))
    cells *= 0.9 * 1e3 * energy / cells.sum(axis=1, keepdims=True)
    shapes = {"layer_0": (3, 96), "layer_1": (12, 12), "layer_2": (12, 6)}
    layers = np.split(cells, [288, 432], axis=1)
    columns = {name: layer.reshape(-1, *shapes[name]) for name, layer in zip(shapes, layers, strict=True)}
    return columns | {"energy": energy, "overflow": np.zeros((events, 3))} | changes


def jets(events=200, seed=1):
    """Columns of the LHC Olympics features: back-to-back jets, the last tenth of them signal."""
    rng = np.random.default_rng(seed)
    pt, phi = rng.uniform(1200, 2500, events), rng.uniform(-np.pi, np.pi, events)
    columns = {}
    for jet, sign in (("j1", 1), ("j2", -1)):
        columns |= {f"px{jet}": sign * pt * np.cos(phi), f"py{jet}": sign * pt * np.sin(phi)}
        columns |= {f"pz{jet}": rng.normal(0, 500, events), f"m{jet}": rng.uniform(20, 600, events)}
        columns |= {f"tau{k}{jet}": rng.uniform(0.05, 0.5, events) / k for k in (1, 2, 3)}
    columns["label"] = (np.arange(events) >= 0.9 * events).astype(float)
    return columns


def frame(columns):
    """Bytes of an HDF5 file as pandas writes a DataFrame in its fixed format."""
    with io.BytesIO() as buffer:
        with h5py.File(buffer, "w") as file:
            group = file.create_group("df")
            group.attrs.update({"pandas_type": np.bytes_("frame"), "nblocks": 1, "encoding": np.bytes_("UTF-8")})
            group["axis0"] = group["block0_items"] = np.array(list(columns), "S")
            group["axis1"] = np.arange(len(next(iter(columns.values()))))
            group["block0_values"] = np.stack(list(columns.values()), axis=1)
        return buffer.getvalue()


def packed(members, kind):
    with io.BytesIO() as buffer:
        if kind == "zip":
            with zipfile.ZipFile(buffer, "w") as file:
                for name, content in members.items():
                    file.writestr(name, content)
        else:
            with tarfile.open(fileobj=buffer, mode="w:gz") as file:
                for name, content in members.items():
                    entry = tarfile.TarInfo(name)
                    entry.size = len(content)
                    file.addfile(entry, io.BytesIO(content))
        return buffer.getvalue()


def fetch(name="geant4_showers_eplus", **settings):
    return datasets.download(name, progress=False, **settings)


# what arrives is what load() gives


def test_showers_come_with_our_columns_and_units(archive, folder):
    train, test = showers(40, seed=1), showers(20, seed=2)
    archive.files = {
        "train_eplus.hdf5": hdf5(train),
        "test_eplus.hdf5": hdf5(test),
        "train_gamma.hdf5": b"",
        "a.txt": b"",
    }
    path = fetch()
    assert names_in(folder) == ["geant4_showers_eplus.h5", "geant4_showers_eplus.toml"]
    assert path == folder / "geant4_showers_eplus.h5"
    table = datasets.load("geant4_showers_eplus", "test")
    np.testing.assert_allclose(table["layer_0"], test["layer_0"] / 1000, rtol=1e-6)
    np.testing.assert_allclose(table["energy"], test["energy"][:, 0], rtol=1e-6)
    assert len(datasets.load("geant4_showers_eplus", "train")) == 36
    assert len(datasets.load("geant4_showers_eplus", "validation")) == 4  # the last tenth of the authors' train
    about = datasets.card("geant4_showers_eplus")
    assert "10.5281/zenodo.5904188" in about.text() and about.fields["licence"] == "cc-by-4.0"
    assert hashlib.md5(archive.files["test_eplus.hdf5"]).hexdigest() in about.text()
    asked = len(archive.requests)
    assert fetch() == path
    assert len(archive.requests) == asked  # it is there and whole: nothing to ask for


def test_damaged_download_is_refused_and_fetched_again(archive, folder):
    archive.files = {"gamma.hdf5": hdf5(showers())}
    path = fetch("geant4_showers_gamma")
    good = path.read_bytes()
    path.write_bytes(good[:-9])
    with pytest.raises(DataError, match="fetch it again with `hepflows data download geant4_showers_gamma`"):
        datasets.load("geant4_showers_gamma")
    fetch("geant4_showers_gamma")
    assert path.read_bytes() == good
    assert [len(datasets.load("geant4_showers_gamma", split)) for split in ("train", "validation", "test")] == [
        28,
        4,
        8,
    ]


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_packed_showers(archive, folder, kind):
    members = {"gamma/train.hdf5": b"", "eplus/train.hdf5": hdf5(showers(30)), "eplus/test.hdf5": hdf5(showers(10))}
    members |= {"eplus/._test.hdf5": b"", "../../eplus_outside.txt": b""}
    archive.files = {f"showers.{kind}": packed(members, kind)}
    fetch()
    assert len(datasets.load("geant4_showers_eplus", "all")) == 40
    assert names_in(folder) == ["geant4_showers_eplus.h5", "geant4_showers_eplus.toml"]
    assert not list(folder.parent.glob("*outside*"))


def test_dijets_agree_with_an_independent_calculation(archive, folder):
    vector = pytest.importorskip("vector")
    original = jets()
    original["tau1j1"][5] = original["tau2j1"][5] = 0.0  # a jet of one particle
    original["tau2j2"][7] = np.nan
    archive.files = {FEATURES: frame(original), "events_anomalydetection_v2.h5": b"too large to read"}
    fetch("lhc_olympics")
    table = datasets.load("lhc_olympics", "all")
    four = [
        vector.array({axis: original[f"{axis}{jet}"] for axis in ("px", "py", "pz")} | {"M": original[f"m{jet}"]})
        for jet in ("j1", "j2")
    ]
    mass = (four[0] + four[1]).M
    rows = np.abs(mass[None, :] - table["m_jj"][:, None]).argmin(axis=1)  # events are found again by their mass
    assert sorted(rows) == [row for row in range(200) if row != 7]
    np.testing.assert_allclose(table["m_jj"], mass[rows], rtol=1e-6)
    first_is_lighter = (original["mj1"] < original["mj2"])[rows]
    for ours, lighter in (("tau21_j1", True), ("tau21_j2", False)):
        first = first_is_lighter == lighter
        tau1, tau2 = (np.where(first, original[f"tau{k}j1"][rows], original[f"tau{k}j2"][rows]) for k in (1, 2))
        np.testing.assert_allclose(table[ours], np.where(tau1 == 0, 0, tau2 / np.maximum(tau1, 1e-9)), rtol=1e-6)
    np.testing.assert_allclose(table["m_j1"], np.minimum(original["mj1"], original["mj2"])[rows], rtol=1e-6)
    np.testing.assert_allclose(table["delta_m"], np.abs(original["mj1"] - original["mj2"])[rows], rtol=1e-4)
    np.testing.assert_array_equal(table["signal"], original["label"][rows])
    for split, events, signal in (("train", 139, 14), ("validation", 20, 2), ("test", 40, 4)):
        part = datasets.load("lhc_olympics", split)
        assert (len(part), part["signal"].sum()) == (events, signal)
    assert "1 events with a value that is not finite are left out" in datasets.card("lhc_olympics").text()


def test_dijets_of_a_bump_hunt_are_those_of_the_olympics_once_all_are_there(archive, folder):
    ours = datasets.load("dijets_signal", "validation")
    archive.files = {FEATURES: frame(jets()), EXTRA: frame({k: v for k, v in jets(50, 2).items() if k != "label"})}
    for missing in ("lhc_olympics", "lhc_olympics_extra_background"):
        assert datasets.dijets_source() == "dijets"
        np.testing.assert_array_equal(datasets.load_dijets("signal", "validation")["m_jj"], ours["m_jj"])
        fetch(missing)
    assert datasets.dijets_source() == "lhc_olympics"
    everything = datasets.load("lhc_olympics", "all")
    signal, background = (datasets.load_dijets(kind, "all") for kind in ("signal", "background"))
    assert (len(signal), len(background)) == (20, 180)
    assert signal.columns == background.columns == ours.columns
    np.testing.assert_array_equal(np.sort(signal["m_jj"]), np.sort(everything["m_jj"][everything["signal"] == 1]))
    assert len(datasets.load_dijets("signal_region", "all")) == 50
    with pytest.raises(InputError, match="kind: expected one of background"):
        datasets.load_dijets("qcd")


def test_public_columns_are_those_of_the_data_sets_that_ship():
    shipped = datasets.list_datasets()
    for public in PUBLIC.values():
        if public.like in shipped:
            theirs = {name: about["unit"] for name, about in datasets.card(public.like).columns.items()}
            ours = {column.name: column.unit for column in public.columns}
            assert ours.items() >= theirs.items(), public.name


# what breaks


def test_broken_transfer_is_continued(archive, folder):
    archive.files = {"eplus.hdf5": hdf5(showers(60))}
    archive.limits = [3 * PIECE_BYTES, 2 * PIECE_BYTES + 1]
    fetch()
    assert archive.ranges_of("eplus.hdf5") == [None, "bytes=49152-", "bytes=81920-"]
    assert len(datasets.load("geant4_showers_eplus", "all")) == 60


def test_transfer_that_stays_broken_is_continued_by_the_same_command(archive, folder):
    archive.files = {"eplus.hdf5": hdf5(showers(60))}
    archive.limits = [3 * PIECE_BYTES] + 5 * [0]
    with pytest.raises(DataError, match="broke off after 49,152 bytes .*; the same command continues it"):
        fetch()
    assert names_in(folder) == ["geant4_showers_eplus.originals"]
    with pytest.raises(DataError, match="it is not there; `hepflows data download geant4_showers_eplus` fetches it"):
        datasets.load("geant4_showers_eplus")
    fetch()
    assert archive.ranges_of("eplus.hdf5")[-1] == "bytes=49152-"
    assert names_in(folder) == ["geant4_showers_eplus.h5", "geant4_showers_eplus.toml"]


def test_progress_is_shown_in_a_terminal(archive, folder, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    archive.files = {"eplus.hdf5": hdf5(showers())}
    datasets.download("geant4_showers_eplus")
    assert re.search(r"eplus.hdf5: 100%\|.*B/s\]", capsys.readouterr().err)


def test_server_without_ranges_and_one_that_is_busy(archive, folder):
    archive.files = {"eplus.hdf5": hdf5(showers(60))}
    archive.ranges, archive.limits, archive.refusals = False, [50_000], [429, 503]
    fetch()
    assert len(archive.ranges_of("eplus.hdf5")) == 4
    assert len(datasets.load("geant4_showers_eplus", "all")) == 60


def test_part_of_another_file_does_not_survive_the_checksum(archive, folder):
    archive.files = {"eplus.hdf5": hdf5(showers(60))}
    workspace = folder / "geant4_showers_eplus.originals"
    workspace.mkdir(parents=True)
    (workspace / "eplus.hdf5.partial").write_bytes(b"something else")
    with pytest.raises(DataError, match="MD5 hash of downloaded file"):
        fetch()
    assert names_in(folder) == []
    fetch()


SHOWERS_CHANGED = [
    ({"layer_1": None}, "expected the columns layer_1 in eplus.hdf5, it has energy, layer_0, layer_2, overflow"),
    ({"layer_2": np.ones((40, 6, 12))}, r"expected layer_2 of shape \(40, 12, 6\) in eplus.hdf5, got \(40, 6, 12\)"),
    ({"energy": np.full((40, 1), 5e4)}, "expected layers in MeV and energy in GeV"),
    ({"label": np.ones(40)}, "got a mixture with the column label"),
]


@pytest.mark.parametrize("changes, message", SHOWERS_CHANGED)
def test_showers_of_another_layout_are_refused(archive, folder, changes, message):
    columns = {name: values for name, values in (showers() | changes).items() if values is not None}
    archive.files = {"eplus.hdf5": hdf5(columns)}
    with pytest.raises(DataError, match=f"geant4_showers_eplus: .*{message}"):
        fetch()
    assert names_in(folder) == []


def without(columns, *names):
    return {name: values for name, values in columns.items() if name not in names}


@pytest.mark.parametrize(
    "content, message",
    [
        (frame(without(jets(), "tau2j1", "label")), f"expected the columns tau2j1, label in {FEATURES}, it has pxj1"),
        (frame(jets() | {"label": np.full(200, 2.0)}), "expected labels 0 and 1"),
        (frame({name: values / 1000 for name, values in jets().items()} | {"label": np.ones(200)}), "momenta in GeV"),
        (hdf5({"data": np.ones((5, 14))}), "expected one pandas DataFrame in fixed format"),
        (b"<html>", "expected a whole HDF5 file with a pandas DataFrame"),
    ],
    ids=["columns", "label", "units", "format", "no HDF5"],
)
def test_dijets_of_another_layout_are_refused(archive, folder, content, message):
    archive.files = {FEATURES: content}
    with pytest.raises(DataError, match=f"lhc_olympics: .*{message}"):
        fetch("lhc_olympics")
    assert names_in(folder) == []


def test_wrong_checksum_leaves_nothing(archive, folder):
    archive.files = {"eplus.hdf5": hdf5(showers())}
    archive.sums = {"eplus.hdf5": "0" * 32}
    with pytest.raises(DataError, match="geant4_showers_eplus: expected the file of the archive, got another one: MD5"):
        fetch()
    assert names_in(folder) == []


@pytest.mark.parametrize("where", ["transfer", "table"])
def test_full_disk_leaves_nothing(archive, folder, where):
    import resource

    kind = {"transfer": "f8", "table": "f2"}[where]  # with half the digits, the original fits, and our table does not
    archive.files = {"eplus.hdf5": hdf5({name: values.astype(kind) for name, values in showers(60).items()})}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(
            DataError, match=f"expected a folder with room that can be written, {folder} says: File too"
        ):
            fetch()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names_in(folder) == []
    fetch()


def test_files_that_could_be_others_are_not_taken_unasked(archive, folder):
    archive.files = {"CaloFlow_eplus.hdf5": hdf5(showers(10)), "geant4.hdf5": hdf5(showers(30))}
    with pytest.raises(DataError, match="say with --files which ones hold Geant4's"):
        fetch()
    with pytest.raises(InputError, match="files: expected some of CaloFlow_eplus.hdf5, geant4.hdf5, got g.hdf5"):
        fetch(files=["g.hdf5"])
    assert names_in(folder) == []
    fetch(files=["geant4.hdf5"])
    assert len(datasets.load("geant4_showers_eplus", "all")) == 30
    archive.files = {"eplus_1.hdf5": b"", "eplus_2.hdf5": b""}
    with pytest.raises(DataError, match="expected one file, or one each for train, .*say with --files"):
        fetch(folder=folder / "other")
    archive.files = {"events_anomalydetection_v3.features.h5": b""}
    with pytest.raises(
        DataError, match=f"expected the file {FEATURES} in the archive, it has events_anomalydetection_v3"
    ):
        fetch("lhc_olympics")


def test_no_network(folder, monkeypatch):
    with socket.socket() as closed:  # nothing listens here
        closed.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setattr(pooch.downloaders.ZenodoRepository, "base_api_url", nowhere)
    monkeypatch.setattr(pooch.downloaders, "doi_to_url", lambda doi, **_: "https://zenodo.org/records/1")
    with pytest.raises(DataError, match="expected an answer from the archive of doi:10.5281/zenodo.5904188, got none"):
        fetch()
    assert names_in(folder) == []


def test_archive_that_answers_something_else(archive, folder):
    archive.listing = {"status": 404, "message": "The persistent identifier does not exist."}
    with pytest.raises(DataError, match="expected a list of files from the archive of doi:10.5281/zenodo.5904188"):
        fetch()
    archive.listing = None
    archive.files = {"eplus.hdf5": b"x"}
    archive.refusals = [404]
    with pytest.raises(DataError, match="expected the file at http.*eplus.hdf5, the server answers 404"):
        fetch()
    assert names_in(folder) == []


# where the data sets are


def test_shared_disk_may_be_read_only(archive, folder, tmp_path):
    archive.files = {"eplus.hdf5": hdf5(showers())}
    fetch(folder=folder)
    folder.chmod(0o555)
    written = folder.stat().st_mtime_ns  # for root no folder is read-only
    try:
        assert fetch() == folder / "geant4_showers_eplus.h5"
        assert len(datasets.load("geant4_showers_eplus", "all")) == 40
        assert folder.stat().st_mtime_ns == written
    finally:
        folder.chmod(0o755)


def test_folder_that_cannot_be_made(archive, folder, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="expected a folder with room that can be written, .*file/data says: Not a dir"):
        fetch(folder=tmp_path / "file" / "data")


def test_without_the_variable_the_cache_of_the_user_is_used(monkeypatch, tmp_path):
    monkeypatch.delenv("HEPFLOWS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tmp_path in datasets.downloads_folder().parents
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(MissingExtraError, match="downloads: expected pooch to be installed"):
        fetch()


def test_unknown_names(folder):
    with pytest.raises(InputError, match="name: expected one of geant4_showers_eplus, .*, got 'geant5'"):
        fetch("geant5")
    with pytest.raises(
        InputError, match="name: expected one of .*gluon_momenta.* or the public geant4_.*, got 'geant5'"
    ):
        datasets.load("geant5")


def test_the_environment_is_read_in_two_places():
    """`course` for what a notebook runs with, `downloads` for where the data are (also without a notebook)."""
    readers = set()
    for path in (ROOT / "hepflows").rglob("*.py"):
        if re.search(r"environ(\.get\(|\[)[\"']HEPFLOWS_|getenv\(", path.read_text()):
            readers.add(path.name)
    assert readers == {"course.py", "downloads.py"}
