# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Screen a library: many molecules, several assays, nothing lost
#
# A screen is a batch job: a file of molecules in, the same file with scores out. It has to survive
# bad rows, run in constant memory, go on after it was killed, and give the same bytes when it is run
# again. This notebook does
# with the command line what a script on a cluster would do.

# %%
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd

import molmeta

SMOKE = bool(os.environ.get("MOLMETA_SMOKE"))  # a smaller library, to test the notebook


def run(command: str) -> None:
    """What one would type into a shell."""
    print("$", command)
    words = [sys.executable, "-m", *command.split()]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    print((done.stdout + done.stderr).strip())


# %% [markdown]
# ## Three assays, 48 measurements each
#
# Cut from ChEMBL, in one table: a column names the assay. The shipped model knows none of these
# targets.

# %%
assays = molmeta.load_embedded()
names = ["CHEMBL204_Ki", "CHEMBL237_EC50", "CHEMBL2971_Ki"]
print({name: assays[name].info["target_name"] for name in names})
rows = []
for name in names:
    chosen = np.random.default_rng(0).permutation(len(assays[name]))[:48]
    part = assays[name].take(chosen)
    rows += [
        {"smiles": text, "assay_id": name, "pActivity": round(value, 2)}
        for text, value in zip(part.molecules.smiles, part.values, strict=True)
    ]
pd.DataFrame(rows).to_csv("assays.csv", index=False)

# %% [markdown]
# ## Adapt once, keep a small file per assay
#
# Several assays in one table become a folder with one file each: plain tensors with a header that says
# which model they belong to. Keep the measured values (`--regression`); they say more than classes.

# %%
run("molmeta adapt --data-path assays.csv --output adapted/ --regression --overwrite")
print(sorted(path.name for path in Path("adapted").iterdir()))

# %% [markdown]
# ## A library as one gets it
#
# With a salt, a typo, an empty cell, and a name with a comma in it.

# %%
size = 400 if SMOKE else 4000
known = {row["smiles"] for row in rows}
molecules = [text for text in sorted(assays.smiles()) if text not in known]
picked = np.random.default_rng(1).permutation(len(molecules))[:size]
library = pd.DataFrame(
    {"id": [f"M{i:05d}" for i in range(size)], "smiles": [molecules[i] for i in picked]}
)
library["supplier"] = "Meier, Sons & Co."
library.loc[2, "smiles"] = "CC(=O)[O-].[Na+]"
library.loc[5, "smiles"] = "c1ccccc"
library.loc[7, "smiles"] = ""
library.to_csv("library.csv", index=False)

# %% [markdown]
# ## Screen by all three in one pass
#
# Each molecule is read and encoded once, and scored by every assay. Two processes share the work, and
# `hits.csv` gets the best 20 of each score, no two of them alike.

# %%
run(
    "molmeta screen --library-path library.csv --assay-path adapted/CHEMBL204_Ki.safetensors "
    "adapted/CHEMBL237_EC50.safetensors adapted/CHEMBL2971_Ki.safetensors "
    "--output scores.csv --hits-path hits.csv --top 20 --alike 0.6 --workers 2 --overwrite"
)
scores = pd.read_csv("scores.csv")
scores.head(8)

# %% [markdown]
# One row out per row in, in order. The typo and the empty cell have a status and a reason in place of
# a score; nothing was shifted.

# %%
assert scores["id"].tolist() == library["id"].tolist()
scores["status"].value_counts()

# %%
hits = pd.read_csv("hits.csv")
hits.groupby("by").head(3)[["rank", "by", "id", "smiles"]]

# %% [markdown]
# ## When it is killed
#
# Finished pieces are kept beside the output until that is whole. Here a process that writes its second
# piece is ended by `kill -9`; the same command goes on, and the file is the same to the last byte.

# %%
many = pd.concat([library] * (1 + 9000 // len(library)), ignore_index=True)
many.to_csv("many.csv", index=False)
command = "screen --library-path many.csv --assay-path adapted/CHEMBL204_Ki.safetensors --output"
run(f"molmeta {command} unbroken.csv --overwrite")

killed = f"""
import os, signal
from molmeta.cli.main import main
from molmeta.screening.shards import Shards

write = Shards.write
Shards.write = lambda self, n, rows: (write(self, n, rows), os.kill(os.getpid(), signal.SIGKILL))
main("{command} broken.csv --engine here".split())
"""
print("exit code", subprocess.run([sys.executable, "-c", killed], check=False).returncode)
print(Path("broken.csv").exists(), sorted(path.name for path in Path().glob(".broken*")))
run(f"molmeta {command} broken.csv")
digests = {sha256(Path(name).read_bytes()).hexdigest() for name in ("broken.csv", "unbroken.csv")}
assert len(digests) == 1

# %% [markdown]
# ## Are the hits real?
#
# For the molecules of this library that ChEMBL has a value for, we can look. "Best of the ranking" here
# is the best 1 %; the enrichment is how many times more often than by chance they are potent
# (pActivity ≥ 7).

# %%
from molmeta.metrics import enrichment_factor, roc_auc

table = []
for name in names:
    value = dict(zip(assays[name].molecules.smiles, assays[name].values, strict=True))
    potent = scores["smiles"].map(value).ge(7).to_numpy() & scores["status"].eq("ok").to_numpy()
    ok = scores["status"].eq("ok").to_numpy()
    score = scores[f"score_{name}"].to_numpy()
    table.append(
        {
            "assay": assays[name].info["target_name"],
            "potent in the library": int(potent.sum()),
            "enrichment in the best 1 %": enrichment_factor(
                potent[ok].astype(int), score[ok], 0.01
            ),
            "ROC-AUC": roc_auc(potent[ok].astype(int), score[ok]),
        }
    )
pd.DataFrame(table).round(2)

# %% [markdown]
# Molecules that were made for other targets count as inactive here, which is easier than telling the
# actives from the inactives of one chemical series. See `benchmarks/results/default.md` for that.
#
# ## Selective ones
#
# With all scores in one table, selectivity is a subtraction.

# %%
wanted, unwanted = (f"score_{name}" for name in names[:2])
scores["selectivity"] = scores[wanted] - scores[unwanted]
columns = ["id", "smiles", wanted, unwanted, "selectivity"]
scores.sort_values("selectivity", ascending=False)[columns].head(5).round(2)
