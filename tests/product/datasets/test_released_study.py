"""The folder that Nguyen et al. 2020 released: read whole, or refused, and never run."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import struct
import tarfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rdkit import Chem

from molmeta.cli.main import main
from molmeta.datasets.gsk2020 import load_restricted
from molmeta.datasets.released_study import environment_counts, is_release, read_release
from molmeta.encoders.ggnn import GGNN
from molmeta.errors import DataError
from molmeta.featurizers.atoms75 import Atoms75
from molmeta.molecules.molecules import Molecules
from molmeta.tasks.assay import Assays

COLUMNS = {"meta_train": [0, 2, 3], "meta_val": [4], "meta_test": [1, 5]}
PARTS = ("train", "val", "test")


def objects(rows: list[np.ndarray]) -> np.ndarray:
    """Arrays of different shapes in an array, as the release has them."""
    out = np.empty(len(rows), dtype=object)
    out[:] = rows
    return out


def featurised(smiles: list[str], y: np.ndarray) -> dict[str, np.ndarray]:
    """What the release's featuriser writes: A + I and rows of 75 numbers, one a molecule."""
    mols = [Chem.MolFromSmiles(text) for text in smiles]
    adj = [Chem.GetAdjacencyMatrix(mol).astype(float) + np.eye(mol.GetNumAtoms()) for mol in mols]
    feat = [np.array(Atoms75().row(mol)[0]) for mol in mols]
    return {"adj": objects(adj), "feat": objects(feat), "y": y.astype(np.float32)}


@pytest.fixture(scope="module")
def content(embedded: Assays) -> dict[str, Any]:
    """Six assays on 90 molecules, in the release's form, and the SMILES behind it."""
    smiles = next(iter(embedded.values())).molecules[:90].smiles
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, (90, 6)).astype(float)
    y[rng.random((90, 6)) < 0.1] = np.nan
    dealt: dict[str, dict[str, list[list[int]]]] = {}
    for part, columns in COLUMNS.items():
        dealt[part] = {name: [] for name in PARTS}
        for column in columns:
            order = rng.permutation(int(np.isfinite(y[:, column]).sum())).tolist()
            for name, chosen in zip(PARTS, (order[:50], order[50:60], order[60:]), strict=True):
                dealt[part][name].append(chosen)
    order = rng.permutation(90).tolist()
    return {
        "smiles": smiles,
        "featurized_data.pkl": featurised(smiles, y),
        "meta_split_idx.pkl": COLUMNS,
        "dataset_split_idx.pkl": dealt,
        "pretraining_split_idx.pkl": {"train": order[:70], "val": order[70:80], "test": order[80:]},
    }


def write(folder: Path, content: dict[str, Any], protocol: int = 4) -> Path:
    folder.mkdir()
    for name in ("featurized_data", "meta_split_idx", "dataset_split_idx", "pretraining_split_idx"):
        data = pickle.dumps(content[f"{name}.pkl"], protocol)
        (folder / f"{name}.pkl").write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def release(content: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("data") / "chembl20", content)


def read(data: bytes) -> Any:
    return load_restricted(io.BytesIO(data), "file.pkl")


class TestTheReader:
    @pytest.mark.parametrize("protocol", range(6))
    def test_arrays_and_plain_values_come_through(self, protocol):
        value = {
            "floats": np.linspace(0, 1, 5),
            "matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
            "fortran": np.asfortranarray(np.arange(6, dtype=np.int64).reshape(2, 3)),
            "ragged": objects([np.zeros((1, 2)), np.ones((3, 3), dtype=np.int8)]),
            "texts": np.array(["C", "CCO"]),
            "flags": np.array([True, False]),
            "number": np.float64(0.25),
            "whole": np.int64(7),
            "plain": [1, 2.5, "three", None, True, (4, b"five"), {"six"}, {7: [8]}],
            "empty": np.zeros((0, 4)),
        }
        found = read(pickle.dumps(value, protocol))
        assert found.keys() == value.keys() and found["plain"] == value["plain"]
        for name in value.keys() - {"plain", "ragged"}:
            np.testing.assert_array_equal(found[name], value[name])
            assert np.asarray(found[name]).dtype == np.asarray(value[name]).dtype
        for one, expected in zip(found["ragged"], value["ragged"], strict=True):
            np.testing.assert_array_equal(one, expected)

    def test_numpys_old_names_are_known(self):
        """Files of 2020 name `numpy.core.multiarray`, today's `numpy._core.multiarray`."""
        data = pickle.dumps(np.arange(3), 2)
        assert b"numpy._core.multiarray" in data
        old = data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
        np.testing.assert_array_equal(read(old), np.arange(3))

    @pytest.mark.parametrize("protocol", range(6))
    @pytest.mark.parametrize(
        "made",
        [
            lambda path: _Calls(os.system, f"touch {path}"),
            lambda path: _Calls(eval, f"open({str(path)!r}, 'w')"),
            lambda path: _Calls(Path.touch, path),
            lambda path: _Calls(np.ndarray.tofile, np.zeros(1), str(path)),
            lambda path: _Calls(np.save, str(path), np.zeros(1)),
            lambda path: np.array([_Calls(os.system, f"touch {path}")], dtype=object),
            lambda path: {"deep": [(_Calls(os.mkdir, str(path)),)]},
        ],
        ids=("system", "eval", "touch", "tofile", "save", "in an array", "in a dict"),
    )
    def test_what_could_run_code_is_refused_unrun(
        self, tmp_path: Path, made: Callable[[Path], Any], protocol: int
    ) -> None:
        path = tmp_path / "made by the file"
        data = pickle.dumps(made(path), protocol)
        with pytest.raises(
            DataError, match=r"file.pkl is refused: .* this one has .*; get the file"
        ):
            read(data)
        assert not list(tmp_path.iterdir())

    def test_that_file_would_have_run(self, tmp_path: Path) -> None:
        """So that the test before this one tests something."""
        path = tmp_path / "made by the file"
        pickle.loads(pickle.dumps(_Calls(os.mkdir, str(path))))
        assert path.is_dir()

    @pytest.mark.parametrize(
        "value",
        [OrderedDict(a=1), torch.zeros(2), Path("x"), 1 + 2j, np.datetime64("2020-01-01"), len],
        ids=lambda value: type(value).__name__,
    )
    def test_other_kinds_are_refused(self, value):
        with pytest.raises(DataError, match="is refused"):
            read(pickle.dumps(value))

    def test_hand_made_opcodes_find_no_way_around(self):
        for data in (
            b"cos\nsystem\n(S'true'\ntR.",
            b"(S'true'\nios\nsystem\n.",
            b"cnumpy\nndarray\n(I1\ntR\x81.",
            b"cnumpy.core.multiarray\n_reconstruct\n(cbuiltins\nlist\n(I0\ntS'b'\ntR.",
            b"c_codecs\nencode\n(S'x'\nS'idna'\ntR.",
            b"c_codecs\ndecode\n(S'x'\nS'idna'\ntR.",
            b"\x82\x01.",  # of copyreg's extension registry
            b"Pname\n.",  # a persistent id
        ):
            with pytest.raises(DataError, match=r"is refused|no whole"):
                read(data)

    def test_objects_do_not_hide_in_bytes(self):
        """An array of pointers that are made of bytes would read any memory."""
        kinds = b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR"
        scalar = b"cnumpy.core.multiarray\nscalar\n(" + kinds + b"S'12345678'\ntR."
        buffer = b"cnumpy.core.numeric\n_frombuffer\n(S'12345678'\n" + kinds + b"(I1\ntS'C'\ntR."
        state = (
            b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
            b"(I1\n(I1\nt" + kinds + b"I00\nS'12345678'\ntb."
        )
        for data in (scalar, buffer, state):
            with pytest.raises(DataError):
                read(data)

    @pytest.mark.parametrize("keep", [0, 1, 20, 200, -1])
    def test_a_file_that_was_cut_off_is_said_to_be(self, keep):
        data = pickle.dumps({"x": np.arange(100), "y": ["some", "text"]})
        with pytest.raises(DataError, match=r"is refused|no whole"):
            read(data[:keep])

    def test_flipped_bytes_never_crash_it(self):
        rng = np.random.default_rng(0)
        data = pickle.dumps({"x": objects([np.arange(9), np.eye(2)]), "y": ["text", 3]})
        for _ in range(2000):
            changed = bytearray(data)
            for place in rng.integers(0, len(data), 2):
                changed[place] = rng.integers(0, 256)
            try:
                read(bytes(changed))
            except DataError:
                pass

    @pytest.mark.parametrize("shape", ["I1152921504606846976\n", "I-1\n", "F1.5\n", "I2\nI4\n", ""])
    def test_an_array_of_another_size_than_its_content_is_refused(self, shape):
        kind = b"cnumpy\ndtype\n(S'f8'\ntR"
        array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
        for content in (b"S'12345678'\n", b"(l"):
            state = b"(I1\n(" + shape.encode() + b"t" + kind + b"I00\n" + content + b"t"
            with pytest.raises(DataError, match="no whole"):
                read(array + state + b"b.")

    @pytest.mark.parametrize("text", ["V8", "O4", "M8[s]", "f8,f8", "(3,)f8", "{'a': 1}"])
    def test_a_type_that_is_no_number_or_text_is_refused(self, text):
        kind = b"cnumpy\ndtype\n(S" + repr(text).encode() + b"\ntR"
        for state in (b"", b"(I3\nS'|'\nNNNI99\nI-1\nI0\ntb"):
            data = b"cnumpy.core.multiarray\nscalar\n(" + kind + state + b"S'12345678'\ntR."
            with pytest.raises(DataError, match="is refused"):
                read(data)

    def test_what_a_number_in_a_file_asks_for_is_not_had(self):
        """A position in the memo, the length of a text, a depth."""
        assert read(b"N\x94r\xff\xff\xff\x7f.") is None  # in C: 32 GB
        for data in (b"\x8e" + b"\xff" * 7 + b"\x7fx.", b"(l" * 10**6):
            with pytest.raises(DataError):
                read(data)


class TestTheStudy:
    def test_tasks_are_the_columns_and_their_parts(self, release, content):
        study = read_release(release)
        y = content["featurized_data.pkl"]["y"]
        names = [f"molecule {i} of the release, without SMILES" for i in range(90)]
        assert [len(side) for side in (study.train, study.validation, study.test)] == [3, 1, 2]
        for number, dealt in enumerate(study.test):
            column = COLUMNS["meta_test"][number]
            measured = np.flatnonzero(np.isfinite(y[:, column]))
            assert dealt.assay.molecules.smiles == [names[i] for i in measured]
            assert dealt.assay.values.tolist() == y[measured, column].tolist()
            parts = content["dataset_split_idx.pkl"]["meta_test"]
            assert dealt.train.tolist() == parts["train"][number]
            assert dealt.validation.tolist() == parts["val"][number]
            assert dealt.test.tolist() == parts["test"][number]
        first = content["dataset_split_idx.pkl"]["meta_train"]["train"][0]
        assert len(study.train[0]) == len(first) == 50

    def test_pretraining_learns_its_own_molecules_of_training_and_validation(
        self, release, content
    ):
        study = read_release(release)
        split = content["pretraining_split_idx.pkl"]
        known = {
            f"molecule {i} of the release, without SMILES" for i in split["train"] + split["val"]
        }
        assert [a.name for a in study.pretraining] == ["assay 0", "assay 2", "assay 3", "assay 4"]
        assert set().union(*(a.molecules.smiles for a in study.pretraining)) == known
        assert len(study.held_out) == 10

    def test_graphs_are_those_of_the_smiles(self, release, content):
        study = read_release(release)
        every = Molecules.stores([study.test[0].assay.molecules])[0]
        encoder = GGNN(layers=2, dim=8).double()
        with torch.no_grad():
            torch.testing.assert_close(encoder(every), encoder(Molecules(content["smiles"])))

    def test_archives_of_parts_are_read_in_order_in_place_of_one_file(
        self, content, release, tmp_path
    ):
        folder = write(tmp_path / "parts", content)
        (folder / "featurized_data.pkl").unlink()
        data = content["featurized_data.pkl"]
        for number, rows in enumerate((slice(0, 40), slice(40, 90))):
            with tarfile.open(folder / f"part_{number}.tar.gz", "w:gz") as archive:
                part = pickle.dumps({name: array[rows] for name, array in data.items()})
                member = tarfile.TarInfo(f"../../part_{number}.pkl")  # read in place, not extracted
                member.size = len(part)
                archive.addfile(member, io.BytesIO(part))
        ours, whole = read_release(folder), read_release(release)
        assert ours.test[1].assay.values.tolist() == whole.test[1].assay.values.tolist()
        blocks = [s.test[1].assay.molecules.block("atoms75") for s in (ours, whole)]
        for name in ("atom_table", "atom_code", "bonds", "atom_offsets", "bond_offsets"):
            assert np.array_equal(*(getattr(block, name) for block in blocks))
        assert not list(tmp_path.glob("part_*"))
        archive = next(folder.glob("*.tar.gz"))
        archive.write_bytes(archive.read_bytes()[:-200])
        with pytest.raises(DataError, match=r"part_0.tar.gz is no whole archive|no whole"):
            read_release(folder)

    def test_minus_one_means_not_measured_where_nothing_is_nan(self, content, release, tmp_path):
        y = np.nan_to_num(content["featurized_data.pkl"]["y"], nan=-1)
        data = {**content["featurized_data.pkl"], "y": y}
        other = write(tmp_path / "other", {**content, "featurized_data.pkl": data})
        found, expected = read_release(other), read_release(release)
        for one, known in zip(found.test, expected.test, strict=True):
            assert one.assay.values.tolist() == known.assay.values.tolist()

    @pytest.mark.parametrize(
        ("name", "change", "message"),
        [
            ("featurized_data.pkl", lambda d: list(d), "no featurised data: it needs 'adj'"),
            ("featurized_data.pkl", lambda d: {**d, "y": d["y"][:5]}, "not of the same length"),
            ("featurized_data.pkl", lambda d: {**d, "y": d["y"] + 1}, "labels must be 0, 1"),
            (
                "featurized_data.pkl",
                lambda d: {**d, "feat": objects([f[:, :70] for f in d["feat"]])},
                r"must be \[atoms, 75\]",
            ),
            (
                "featurized_data.pkl",
                lambda d: {**d, "adj": objects([a - np.eye(len(a)) for a in d["adj"]])},
                r"not A \+ I",
            ),
            (
                "dataset_split_idx.pkl",
                lambda d: {**d, "meta_test": {k: [v[0]] for k, v in d["meta_test"].items()}},
                "dataset_split_idx.pkl, meta_test, train has no 1; .* as many lists as .* tasks",
            ),
            (
                "dataset_split_idx.pkl",
                lambda d: {**d, "meta_val": {k: [[900]] for k in PARTS}},
                r"dataset_split_idx.pkl, assay 4 has the position 900, of \d\d",
            ),
            ("dataset_split_idx.pkl", lambda d: {"meta_train": 3}, "meta_train has no 'train'"),
            ("meta_split_idx.pkl", lambda d: {"meta_train": [0]}, "has no 'meta_val'"),
            ("meta_split_idx.pkl", lambda d: {**d, "meta_test": [1, 77]}, "position 77, of 6"),
            ("meta_split_idx.pkl", lambda d: {**d, "meta_test": [-1]}, "position -1, of 6"),
            ("meta_split_idx.pkl", lambda d: {**d, "meta_test": ["a"]}, "no list of whole numbers"),
            ("meta_split_idx.pkl", lambda d: [1, 2], "has no 'meta_train'"),
            ("pretraining_split_idx.pkl", lambda d: {"train": [1]}, "has no 'val'"),
            ("pretraining_split_idx.pkl", lambda d: {**d, "val": [5000]}, "position 5000, of 90"),
        ],
    )
    def test_what_is_wrong_with_a_file_is_said(self, content, tmp_path, name, change, message):
        folder = write(tmp_path / "bad", {**content, name: change(content[name])})
        with pytest.raises(DataError, match=message):
            read_release(folder)

    def test_a_missing_file_is_named(self, release, tmp_path):
        folder = tmp_path / "copy"
        shutil.copytree(release, folder)
        (folder / "featurized_data.pkl").unlink()
        with pytest.raises(DataError, match=r"neither featurized_data\.pkl nor archives"):
            read_release(folder)
        (folder / "dataset_split_idx.pkl").unlink()
        with pytest.raises(DataError, match=r"has no dataset_split_idx\.pkl"):
            read_release(folder)
        assert is_release(folder) and not is_release(tmp_path) and not is_release("embedded")

    def test_the_forest_reads_how_often_environments_occur(self, release):
        study = read_release(release)
        molecules = Molecules.stores([study.test[0].assay.molecules])[0]
        counts = environment_counts(molecules.block("atoms75")).dense()
        atoms = np.diff(molecules.block("atoms75").atom_offsets)
        np.testing.assert_array_equal(counts.sum(axis=1), 3 * atoms)  # radii 0, 1 and 2


def test_the_command_runs_on_the_released_folder(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(
        [
            *("reproduce", "nguyen2020", "--data-path", str(release), "--methods", "multi_task"),
            *("random_forest", "--save-dir", str(tmp_path / "runs"), "--workers", "1"),
            *("--split-seeds", "1", "--device", "cpu"),
        ]
    )
    printed = capsys.readouterr().out
    assert code == 0, printed
    assert printed.startswith("The data that the paper released.")
    assert "2 of no known group" in printed and "OpenEye" not in printed


def test_a_malicious_release_ends_the_command_in_one_line(
    content: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "made by the file"
    folder = write(tmp_path / "bad", {**content, "meta_split_idx.pkl": _Calls(os.mkdir, str(path))})
    assert main(["reproduce", "nguyen2020", "--data-path", str(folder)]) == 2
    found = capsys.readouterr().err
    assert "meta_split_idx.pkl is refused" in found and "posix.mkdir" in found
    assert found.count("\n") == 1 and not path.exists()


class _Calls:
    """Pickles as a call of a function."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self.call = (function, args)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


assert struct.calcsize("P") == 8  # pointers in the hand-made files above
