"""Fetch a public data set by its DOI, check it, and keep it as a file and a card like those that ship.

The archive says which files there are and gives their checksums; what they contain is checked before anything is kept.
"""

import json
import os
import shutil
import tarfile
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

from hepflows.datasets.cards import card, sha256_of
from hepflows.datasets.public import HDF5, PACKED, PUBLIC
from hepflows.datasets.table import write_table
from hepflows.datasets.transfer import TIMEOUT_SECONDS, ContinuedDownload
from hepflows.errors import DataError, HepflowsError, InputError, MissingExtraError


def downloads_folder():
    """Where downloaded data sets are: HEPFLOWS_DATA (a shared disk; it may be read-only), or the user's cache.

    The variable is read here and not in `course`, because whoever loads data has not always started a notebook.
    """
    named = os.environ.get("HEPFLOWS_DATA")
    return Path(named).expanduser() if named else Path(_pooch().os_cache("hepflows")) / "data"


def download(name, folder=None, files=None, progress=True):
    """Download a public data set into a folder (default: `downloads_folder()`); returns the path of its file.

    A transfer that broke off is continued; a data set that is there and whole is left as it is. `files`: names in the
    archive, instead of those that the data set chooses. Raises InputError for an unknown name, MissingExtraError
    without pooch, and DataError if the archive does not answer, a checksum or the content differs from what is
    expected, or the disk is full; then no file is left that could be taken for the data set.
    """
    if name not in PUBLIC:
        raise InputError(f"name: expected one of {', '.join(PUBLIC)}, got {name!r}")
    public, pooch = PUBLIC[name], _pooch()
    folder = Path(folder) if folder is not None else downloads_folder()
    with suppress(HepflowsError):
        about = card(name, folder)
        about.verify()
        return about.path
    workspace = folder / f"{name}.originals"
    try:
        workspace.mkdir(parents=True, exist_ok=True)
        repository, checksums = _archive(pooch, public.doi)
        chosen = _choose(public, checksums, files)
        paths = {entry: _fetch(pooch, repository, entry, checksums[entry], workspace, progress) for entry in chosen}
        target = folder / f"{name}.h5"
        original = _convert(public, paths, files, target)
        # The card comes last: it makes the file a data set.
        _write_card(
            public, original, target, [f"{entry} ({checksums[entry]})" for entry in chosen], _licence(repository)
        )
        shutil.rmtree(workspace)
    except _Refused as error:
        shutil.rmtree(workspace)
        raise DataError(f"{name}: {error}") from None
    except DataError as error:  # a part of a file that has arrived waits for the next attempt
        raise DataError(f"{name}: {error}") from None
    except OSError as error:
        shutil.rmtree(workspace, ignore_errors=True)
        reason = error.strerror or error
        raise DataError(f"{name}: expected a folder with room that can be written, {folder} says: {reason}") from None
    finally:
        with suppress(OSError):
            workspace.rmdir()  # if it is empty
    return target


class _Refused(DataError):
    """The originals are not what was expected: they are of no use."""


def _pooch():
    try:
        import pooch
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"downloads: expected {error.name} to be installed, it is not; `pip install pooch`"
        ) from None
    return pooch


def _archive(pooch, doi):
    """pooch's interface to the archive of a DOI, and {file: checksum}; DataError if there is no answer."""
    import requests

    try:
        repository = pooch.downloaders.doi_to_repository(doi, headers=_headers(pooch), timeout=TIMEOUT_SECONDS)
        catalogue = pooch.create(path="", base_url=f"doi:{doi}/")
        repository.populate_registry(catalogue)
    except requests.RequestException as error:
        raise DataError(
            f"expected an answer from the archive of doi:{doi}, got none ({type(error).__name__}): this machine has no "
            "network, or the archive is down; a folder into which it was downloaded elsewhere is named by HEPFLOWS_DATA"
        ) from None
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"expected a list of files from the archive of doi:{doi}, got another answer ({error})"
        ) from None
    return repository, dict(catalogue.registry)


def _headers(pooch):
    return {"User-Agent": f"hepflows (pooch {pooch.__version__})"}  # some archives turn nameless programs away


def _choose(public, names, files):
    """Those of `names` that are asked for, or that the data set chooses by itself."""
    names = sorted(names)
    if files:
        chosen = [name for name in names if name in files or Path(name).name in files]
        if not chosen:
            raise InputError(f"files: expected some of {', '.join(names)}, got {', '.join(files)}")
        return chosen
    return _refusing(public.choose, names)


def _refusing(function, argument):
    try:
        return function(argument)
    except DataError as error:
        raise _Refused(str(error)) from None


def _fetch(pooch, repository, entry, checksum, workspace, progress):
    """Path of a file of the archive, downloaded unless it is there, and compared with its checksum."""
    pooch.get_logger().setLevel("WARNING")
    path = workspace / Path(entry).name
    downloader = ContinuedDownload(path.with_name(f"{path.name}.partial"), _headers(pooch), progress)
    try:
        pooch.retrieve(repository.download_url(entry), checksum, path.name, workspace, downloader=downloader)
    except ValueError as error:  # pooch has removed the file
        raise _Refused(f"expected the file of the archive, got another one: {error}") from None
    return path


def _convert(public, paths, files, target):
    """Check the originals and write them with our columns; returns the Original."""
    originals = {}
    for name, path in paths.items():
        originals |= _unpack(public, path, files) if name.lower().endswith(PACKED) else {name: path}
    original = _refusing(public.read, originals)
    write_table(target, original.arrays, public.columns, {"name": public.name, "doi": public.doi})
    return original


def _unpack(public, packed, files):
    """{name: path} of the HDF5 files that are wanted of a packed folder, unpacked beside it under names of ours."""
    unpacked = {}
    try:
        with zipfile.ZipFile(packed) if zipfile.is_zipfile(packed) else tarfile.open(packed) as archive:
            zipped = isinstance(archive, zipfile.ZipFile)
            names = archive.namelist() if zipped else archive.getnames()
            data = [name for name in names if name.lower().endswith(HDF5) and not Path(name).name.startswith(".")]
            known = [name for name in data if files and (name in files or Path(name).name in files)]
            for number, name in enumerate(known or _choose(public, data, None)):
                unpacked[name] = packed.with_name(f"{packed.name}.{number}.h5")
                with (
                    (archive.open if zipped else archive.extractfile)(name) as source,
                    open(unpacked[name], "wb") as file,
                ):
                    shutil.copyfileobj(source, file)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise _Refused(f"expected a packed folder, {packed.name} cannot be read ({error})") from None
    return unpacked


def _licence(repository):
    """What the archive says about the licence."""
    answer = getattr(repository, "api_response", None)
    metadata = answer.get("metadata") if isinstance(answer, dict) else None
    licence = metadata.get("license") if isinstance(metadata, dict) else None
    return (licence.get("id") if isinstance(licence, dict) else None) or "see the archive"


def _write_card(public, original, target, files, licence):
    fields = {
        "title": public.title,
        "description": public.description,
        "origin": f"doi:{public.doi}, {', '.join(files)}",
        "licence": licence,
        "command": f"hepflows data download {public.name}",
        "file": target.name,
        "sha256": sha256_of(target),
        "events": len(next(iter(original.arrays.values()))),
        "doi": public.doi,
        "like": f"{public.like}, which ships and has the same columns",
    }
    if original.notes:
        fields["notes"] = original.notes
    lines = [f"{key} = {json.dumps(value)}" for key, value in fields.items()]  # JSON's strings are also TOML's
    lines += ["", "[splits]", *(f"{name} = [{first}, {last}]" for name, (first, last) in original.splits.items())]
    for column in public.columns:
        lines += ["", f"[columns.{column.name}]", f"unit = {json.dumps(column.unit)}"]
        lines += [f"description = {json.dumps(column.description)}"]
    path = target.with_suffix(".toml")
    temporary = path.with_suffix(".part")
    try:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
