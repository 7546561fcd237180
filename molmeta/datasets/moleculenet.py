"""MoleculeNet's assay collections: Tox21, SIDER, MUV, ToxCast."""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from molmeta.datasets.table import Table, read_table
from molmeta.errors import ConfigError, DataError
from molmeta.files import OFFLINE, cache_folder, file_sha256, locked, offline, write_atomic
from molmeta.registry import nearest


@dataclass(frozen=True)
class Source:
    """A file that DeepChem serves.

    Attributes
    ----------
    file : str
        Its name.
    sha256 : str
        Checksum; "" where nobody published one: then that of the first download is kept beside the
        file, and every later reading is held to it.
    """

    file: str
    sha256: str = ""


SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        "tox21": Source(
            "tox21.csv.gz", "495d33293740caf048a595b585437f571c5004ed006afc25f44d513ad35f4706"
        ),
        "sider": Source("sider.csv.gz"),
        "muv": Source("muv.csv.gz"),
        "toxcast": Source("toxcast_data.csv.gz"),
    }
)


def read_moleculenet(name: str, path: str | Path | None = None) -> Table:
    """One of MoleculeNet's collections as binary assays.

    Wu, Ramsundar et al.: *MoleculeNet: a benchmark for molecular machine learning* (Chemical
    Science 2018). Molecules are standardised and duplicates merged as in `read_table`; an empty
    cell is a missing label.

    Parameters
    ----------
    name : str
        `tox21` (12 assays), `sider` (27), `muv` (17) or `toxcast` (617).
    path : path, optional
        The same file, where it is there already. Without it, DeepChem downloads it, once, into
        `$MOLMETA_CACHE`, or `~/.cache/molmeta`.

    Raises
    ------
    ConfigError
        There is no such collection.
    DataError
        The file is missing, cannot be downloaded, or is another one than expected.
    """
    if name not in SOURCES:
        raise ConfigError(f"there is no collection '{name}'{nearest(name, list(SOURCES))}")
    source = SOURCES[name]
    if path is None:
        path = cached(name)
    elif source.sha256:
        check_file(Path(path), source.sha256)
    return read_table(path)


def cached(name: str) -> Path:
    """The file of a collection in the cache; downloaded and checked, if it is not there yet.

    Of several processes that ask at once one downloads. What is in the cache is whole: a file
    takes its place only once it was checked.
    """
    folder, source = cache_folder(), SOURCES[name]
    path, seen = folder / source.file, folder / f"{source.file}.sha256"
    if not path.exists() or not (source.sha256 or seen.exists()):
        with locked(folder / f".{source.file}.lock", f"{path} is being downloaded", wait=True):
            if not path.exists():
                _download(name, path, source)
            if not source.sha256 and not seen.exists():
                write_atomic(seen, file_sha256(path).encode())
    check_file(path, source.sha256 or seen.read_text(encoding="utf-8").strip())
    return path


def check_file(path: Path, expected: str) -> None:
    """Raise `DataError` if a file is missing, or has another checksum."""
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    found = file_sha256(path)
    if found != expected:
        raise DataError(
            f"{path} has the sha256 {found[:12]}…, not {expected[:12]}…: it is damaged or another "
            "file; delete it and get it again"
        )


def _download(name: str, path: Path, source: Source) -> None:
    """By DeepChem, from where it keeps the file; whole or not at all."""
    module = import_module(f"deepchem.molnet.load_function.{name}_datasets")
    url: str = getattr(module, f"{name.upper()}_URL")
    if offline():
        raise DataError(
            f"{OFFLINE} is set and {path} is not there; get {url} by other means and put it there, "
            "or give its path"
        )
    from deepchem.utils.data_utils import download_url

    unfinished = f".{path.name}-"
    for stale in path.parent.glob(f"{unfinished}*"):  # of a process that was killed
        shutil.rmtree(stale, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=unfinished) as folder:
        part = Path(folder) / path.name
        try:
            download_url(url, folder, path.name)
            with gzip.open(part) as file:
                while file.read(1 << 20):
                    pass
        except (OSError, EOFError, zlib.error, HTTPException) as error:
            raise DataError(
                f"{url} cannot be downloaded ({error}); get it by other means and give its path"
            ) from error
        if source.sha256:
            check_file(part, source.sha256)
        part.replace(path)
