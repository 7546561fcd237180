"""Standardising takes any text: an answer for each, always, and one that stays as it is.

Texts are real molecules with mutations, and SMILES that a small grammar writes. Processes of their
own standardise them, so that a crash or a molecule without end is a failure with a name.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from rdkit import Chem, rdBase

from molmeta.errors import ConfigError
from molmeta.featurizers.standardisation import FRAGMENTS, Policy, Standardiser, Status, standardise
from molmeta.tasks.assay import Assays

WORKER = Path(__file__).with_name("standardise_lines.py")
PIECES, PIECE = 20, 5_500  # processes, and texts that each of them is given
POLICIES = [
    Policy(),
    Policy(fragments="keep", neutralise=False),
    Policy(fragments="keep"),
    Policy(fragments="refuse", radicals="refuse", elements=("C", "N", "O", "S", "F", "Cl")),
    Policy(max_atoms=40, neutralise=False),
]
TOKENS = {
    "atoms": ["C", "N", "O", "c", "n", "o", "s", "P", "S", "Cl", "Br", "*", "[se]", "[Si]", "B"],
    "metals": ["[Na]", "[Na+]", "[Fe+2]", "[Pt]", "[Hg]", "[Li]C", "[Mg+2]", "[U]", "->[Cu]"],
    "brackets": ["[", "]", "[]", "[C", "H]", "[nH]", "[CH3]", "[NH4+]", "[#6]", "[[C]]", "(", ")"],
    "charges": ["+", "-", "[O-]", "[N+]", "[NH3+]", "[C-]#[O+]", "[S+3]", "[C+99]", "++", "--"],
    "radicals": ["[CH2]", "[C]", "[N]", "[O]", "[CH]", "[NH]"],
    "dots": [".", "..", ".Cl", ".[Na+]", ".[Cl-]", ".O", ".c1ccccc1", "[H+].", ".C1.C1"],
    "rings": [*"0123456789", "%10", "%99", "%(100)", "%(1000)", "%", "11", "C1CC1"],
    "bonds": ["-", "=", "#", "$", ":", "/", "\\", "~", "->", "<-", "==", ">>", "/C=C/", "/C=C\\"],
    "stereo": ["@", "@@", "[C@H]", "[C@@H]", "[C@](F)(Cl)", "[S@]", "[P@@]", "[Pt@SP1]", "[C@TH9]"],
    "isotopes": ["[13CH3]", "[2H]", "[0C]", "[999C]", "[99999C]", "[H]", "[3H+]", "[13c]"],
    "atom maps": ["[CH3:1]", "[OH:2]", "[c:03]", ":1]", "[C:99999]", "[*:1]", "[C@H:7]", "[H:1]"],
    "unicode": [
        "é",
        "μ",
        "Ⅽ",
        "\u200b",
        "\ufeff",
        "\u2212",
        "\U0001f9ea",
        "\ud800",
        "\udcff",
        "５",
    ],
    "control": ["\0", "\x01", "\x7f", "\x1b[0m", "\n", "\r", "\t", " ", "\xa0", "\x85", "\u2028"],
    "extensions": [" |$R1$|", "|^1:0|", " name", "{", "}", "&1", "'", '"', ",", ";", "!", "?"],
}
EDGES = ["", " ", "[H][H]", "*", "C.O", "[CH3]", "[Xe]", "C" * 30_000, "C(" * 5_000, "[" * 5_000]
LEGAL = ["C", "C", "C", "N", "O", "S", "c1ccccc1", "[NH2+]", "C(=O)[O-]", "[C@H](F)", "[13CH2]"]
BONDS = ("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC")
GEOMETRY = re.compile(r"@(SP|TB|OH)\d+")
Mutation = Callable[[random.Random, str, str], str]


def delete(rng: random.Random, text: str, other: str) -> str:
    start = rng.randrange(len(text) + 1)
    return text[:start] + text[start + rng.choice([1, 1, 1, 2, 5]) :]


def replace(rng: random.Random, text: str, other: str) -> str:
    start, place = rng.randrange(len(text) + 1), rng.randrange(len(other) + 1)
    return text[:start] + other[place : place + 1] + text[start + 1 :]


def duplicate(rng: random.Random, text: str, other: str) -> str:
    start = rng.randrange(len(text) + 1)
    end = start + rng.choice([1, 1, 2, 5, 20])
    return text[:end] + text[start:end] + text[end:]


def splice(rng: random.Random, text: str, other: str) -> str:
    return text[: rng.randrange(len(text) + 1)] + other[rng.randrange(len(other) + 1) :]


def lengthen(rng: random.Random, text: str, other: str) -> str:
    return text * rng.choice([100, 1000]) if rng.random() < 0.01 else text * rng.choice([2, 3])


def insert(tokens: list[str]) -> Mutation:
    def one(rng: random.Random, text: str, other: str) -> str:
        start = rng.randrange(len(text) + 1)
        return text[:start] + rng.choice(tokens) + text[start:]

    return one


MUTATIONS: dict[str, Mutation] = {
    **{"delete": delete, "replace": replace, "duplicate": duplicate, "splice": splice},
    "lengthen": lengthen,
    **{name: insert(tokens) for name, tokens in TOKENS.items()},
}


def written(rng: random.Random, atoms: list[str], depth: int = 3) -> str:
    """A SMILES with branches and rings, mostly of legal syntax."""
    text, rings = "", Counter[str]()
    for _ in range(rng.randint(1, 8)):
        text += rng.choice([*[""] * 12, *"=/\\#:"]) if text else ""
        text += rng.choice(atoms)
        if rng.random() < 0.2:
            ring = rng.choice("123456789")
            text += ring
            rings[ring] += 1
        if depth and rng.random() < 0.3:
            text += f"({rng.choice(['', '', '', '=', '/'])}{written(rng, atoms, depth - 1)})"
    return text + "".join(f"C{ring}" for ring, count in sorted(rings.items()) if count % 2)


def mutated(rng: random.Random, known: list[str], mutations: list[str]) -> str:
    """A molecule with one to four mutations; most often with one."""
    text = rng.choice(known)
    for _ in range(rng.choice([1, 1, 1, 1, 1, 2, 4])):
        text = MUTATIONS[rng.choice(mutations)](rng, text, rng.choice(known))
    return text


def drawn(seed: int, mutations: list[str], known: list[str]) -> list[str]:
    """The texts of one piece: three of four mutated, the rest written."""
    rng = random.Random(seed)
    some = rng.sample(known, 300)
    tokens = [token for name in mutations for token in TOKENS.get(name, [])]
    kinds = [lambda: mutated(rng, some, mutations)] * 3
    kinds += [lambda: written(rng, LEGAL if rng.random() < 0.5 else LEGAL + tokens)]
    return [text for text in EDGES for _ in POLICIES] + [rng.choice(kinds)() for _ in range(PIECE)]


def answers(texts: list[str]) -> list[list[dict[str, str]]]:
    """What became of each text, and of that again; the process must have outlived them all."""
    asked = json.dumps([[asdict(policy) for policy in POLICIES], texts])
    done = subprocess.run([sys.executable, WORKER], input=asked, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    if done.returncode or len(lines) < len(texts):
        last = texts[len(lines)] if len(lines) < len(texts) else "none"
        pytest.fail(f"{last!r}: exit code {done.returncode} {done.stderr[-2000:]}")
    assert done.stderr == ""
    assert len(lines) == len(texts)
    return [json.loads(line) for line in lines]


def rdkits_own(smiles: str, again: str) -> str:
    """Why RDKit itself does not read what it wrote, as is known of what is hardly a molecule.

    "bond": of bonds `~`, those that close a ring are lost. "metal": marks of the geometry at a
    metal that lacks ligands change each time. "stereo": so does a centre at a radical or an odd
    bond. "aromatic": rings are written so, though their atoms have too many bonds to be read.
    """
    with rdBase.BlockLogs():
        one, other = Chem.MolFromSmiles(smiles), Chem.MolFromSmiles(again)
    if one is None:
        return "aromatic" if re.search(r"[bsp]|\[(si|se|te|as)", smiles) else ""
    if Chem.MolToSmiles(one) == smiles:
        return ""  # then it was not RDKit, but the policy
    if "~" in smiles:
        return "bond"
    if GEOMETRY.search(smiles) and GEOMETRY.sub("", smiles) == GEOMETRY.sub("", again):
        return "metal"
    odd = any(bond.GetBondType().name not in BONDS for bond in one.GetBonds())
    radical = any(atom.GetNumRadicalElectrons() for atom in one.GetAtoms())
    flat = {Chem.MolToSmiles(mol, isomericSmiles=False) for mol in (one, other)}
    return "stereo" if (odd or radical) and len(flat) == 1 else ""


def check(text: str, first: dict[str, str], again: dict[str, str]) -> str:
    """One answer is a good one; what RDKit does not read of it, if anything."""
    said = f"{text!r} became {first}, and that {again}"
    assert first["status"] in get_args(Status), said
    assert (first["status"] == "ok") == (first["smiles"] != ""), said
    assert (first["status"] == "ok") == (first["reason"] == ""), said
    assert first["reason"].isprintable(), said
    if again == first:
        return ""
    found = rdkits_own(first["smiles"], again["smiles"])
    assert found, said
    return found


@pytest.mark.slow
def test_any_text_has_one_answer_that_stays(embedded: Assays) -> None:
    known = sorted({text for name in embedded for text in embedded[name].molecules.smiles})
    statuses: Counter[str] = Counter()
    not_read: Counter[str] = Counter()

    @settings(max_examples=PIECES, deadline=None, derandomize=True, phases=[Phase.generate])
    @given(
        seed=st.integers(0, 2**32),
        mutations=st.lists(st.sampled_from(sorted(MUTATIONS)), min_size=3, unique=True),
    )
    def pieces(seed: int, mutations: list[str]) -> None:
        texts = drawn(seed, mutations, known)
        for text, (first, again) in zip(texts, answers(texts), strict=True):
            not_read[check(text, first, again)] += 1
            statuses[first["status"]] += 1

    pieces()
    assert statuses.total() >= 100_000
    assert set(statuses) == set(get_args(Status))
    assert statuses["ok"] > 5_000
    assert not_read["stereo"] + not_read["aromatic"] <= statuses["ok"] / 1000


# Each status, and what the policy says of it


@pytest.mark.parametrize(
    "text",
    ["CCO\udcff", "\ud800", "C\0", "C\0C", "\x01C", "C\x7f", "µ", "CC\u200b", "\ufeffC", "С"],
    ids=ascii,
)
def test_a_character_of_no_smiles_is_named(text: str) -> None:
    (found,) = standardise([text])
    assert (found.status, found.smiles) == ("invalid", "")
    assert "which is in no SMILES" in found.reason
    assert found.reason.isascii()


@pytest.mark.parametrize("text", ["CCO CCN", "CCO\tC", "CCO |$R1;;$| CC", "CCO\nCCN", "C\u00a0C"])
def test_text_behind_a_blank(text: str) -> None:
    assert [one.status for one in standardise([text])] == ["trailing text"]


@pytest.mark.parametrize("text", ["CCO ethanol", "CCO\tname", "CCO |$R1;;$|", "CCO |o1:1| CHEMBL2"])
def test_a_name_or_an_extension_behind_a_blank_is_dropped(text: str) -> None:
    assert [one.smiles for one in standardise([text])] == ["CCO"]


def test_tautomers_are_kept_or_merged() -> None:
    both = ("Oc1ccccn1", "O=c1cccc[nH]1")
    assert len(set(statuses(Policy(), *both))) == 2
    assert len(set(statuses(Policy(tautomers="merge"), *both))) == 1


def statuses(policy: Policy, *texts: str) -> list[Any]:
    return [one.smiles or one.status for one in standardise(texts, policy)]


def test_elements() -> None:
    policy = Policy(elements=("C", "N", "O"))
    assert statuses(policy, "CCO", "c1ccncc1", "[2H]OC", "[13CH4]") == [
        *("CCO", "c1ccncc1", "[2H]OC", "[13CH4]")  # hydrogen is always known
    ]
    assert statuses(policy, "CCl", "CS", "[Na+]", "C[Hg]C", "*C") == ["element"] * 5
    assert statuses(policy, "CC(=O)[O-].[Na+]", "CCN.Cl") == ["CC(=O)O", "CCN"]
    (found,) = standardise(["ClCBr"], policy)
    assert found.reason == "it has Br, Cl"
    kept = Policy(elements=("C", "N", "O"), fragments="keep")
    assert statuses(kept, "CC(=O)[O-].[Na+]") == ["element"]
    assert statuses(Policy(elements=["C"]), "C", "O") == ["C", "element"]  # type: ignore[arg-type]
    assert Policy(elements=["C"]) == Policy(elements=("C",))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="'c', which is no symbol of an element"):
        Policy(elements=("C", "c"))


def test_a_metal_is_a_molecule_unless_the_policy_knows_better() -> None:
    metals = ["[Na+]", "C[Hg]C", "[Fe]", "[Cl-].[Fe+2].[Cl-]"]
    assert all(one.status == "ok" for one in standardise(metals))
    drug_like = Policy(elements=("C", "N", "O", "S", "P", "F", "Cl", "Br", "I"))
    assert statuses(drug_like, *metals[:3]) == ["element"] * 3


def test_fragments() -> None:
    salt, one_molecule = "CC(=O)[O-].[Na+]", "C1.C1"
    assert statuses(Policy(fragments="refuse"), salt, "O.O", "CCO", one_molecule) == [
        *("mixture", "mixture", "CCO", "CC")
    ]
    assert statuses(Policy(fragments="largest"), salt, "O.O", one_molecule) == [
        "CC(=O)O",
        "O",
        "CC",
    ]
    assert statuses(Policy(fragments="keep"), "O.O", "CCN.Cl", one_molecule) == [
        *("O.O", "CCN.Cl", "CC")
    ]
    (found,) = standardise([salt], Policy(fragments="refuse"))
    assert found.reason == "2 fragments; 1 allowed"


def test_a_mixture_of_too_many_fragments_takes_no_time() -> None:
    few, many = ".".join(["C"] * FRAGMENTS), ".".join(["C"] * 9000)
    assert statuses(Policy(), few, f"{few}.C", many) == ["C", "mixture", "mixture"]
    kept = Policy(fragments="keep")
    assert statuses(kept, f"{few}.C", many) == [f"{few}.C", "mixture"]


def test_radicals() -> None:
    radicals = ["[CH2]C", "[N]=O", "[O]", "C[C]"]
    assert [one.status for one in standardise(radicals)] == ["ok"] * 4
    refuse = Policy(radicals="refuse")
    assert statuses(refuse, *radicals) == ["radical"] * 4
    assert statuses(refuse, "CC", "C[N+](=O)[O-]", "O=O", "[Na+]", "[CH3-]", "[C-]#[O+]") == [
        *("CC", "C[N+](=O)[O-]", "O=O", "[Na+]", "C", "[C-]#[O+]")
    ]
    (found,) = standardise(["C[C]"], refuse)
    assert found.reason == "unpaired electrons: 3"
    with pytest.raises(ConfigError, match="radicals is 'no'; choose 'keep' or 'refuse'"):
        Policy(radicals="no")  # type: ignore[arg-type]


@pytest.mark.parametrize("policy", POLICIES[:3], ids=str)
def test_a_molecule_without_bonds_is_one(policy: Policy) -> None:
    texts = ["C", "[Na+]", "O", "[He]", "[Cl-]"]
    assert [one.status for one in standardise(texts, policy)] == ["ok"] * 5
    mol = Standardiser(policy).molecule("[Na+]")
    assert isinstance(mol, Chem.Mol)
    assert (mol.GetNumAtoms(), mol.GetNumBonds()) == (1, 0)


@pytest.mark.parametrize(
    ("mapped", "plain"),
    [
        ("[CH3:1][OH:2]", "CO"),
        ("[CH3:1]O", "CO"),
        ("[CH3:2][C@H:1]([CH3:3])[OH:4]", "CC(C)O"),  # the numbers alone made it a centre
        ("[CH3:1][C@H:2]([NH2:3])[C:4](=[O:5])[O-:6].[Na+:7]", "C[C@H](N)C(=O)O"),
        ("[cH:1]1[cH:2][cH:3][cH:4][cH:5][cH:6]1", "c1ccccc1"),
        ("[CH3:1][H:2]", "C"),
        ("[CH3:1]/[CH:2]=[CH:3]/[CH3:4]", "C/C=C/C"),
        ("[CH2:1]([CH3:2])[*:3]", "*CC"),
        ("[13CH3:1][OH:0]", "[13CH3]O"),
    ],
)
def test_numbers_of_atoms_are_no_part_of_a_molecule(mapped: str, plain: str) -> None:
    for policy in POLICIES[:3]:
        one = Standardiser(policy)
        mol = one.molecule(mapped)
        assert isinstance(mol, Chem.Mol)
        assert not any(atom.GetAtomMapNum() for atom in mol.GetAtoms())
        if "." not in mapped:
            assert one(mapped) == one(plain)
    assert statuses(Policy(), mapped) == [plain]


def test_reasons_are_one_line() -> None:
    texts = ["", "C C", "C1CC", "[H][H]", "C" * 5000, "[Fe+2].c1cc[cH-]c1.c1cc[cH-]c1", "C\nC"]
    for one in standardise(texts):
        assert one.reason
        assert "\n" not in one.reason
