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
# # A new assay: from 32 measurements to ranked hits
#
# You have measured 32 molecules in a new assay, and have a library of some thousand more. Which of
# them should you look at first, and how far can you believe the answer?
#
# We play it through with thrombin from ChEMBL, as if it were yours: the model that is shipped with
# `molmeta` was trained on some 350 other assays and has seen neither this target nor these
# molecules. So at the end we can look up how well it went.

# %%
import os

import numpy as np
import pandas as pd

import molmeta

SMOKE = bool(os.environ.get("MOLMETA_SMOKE"))  # fewer repeats and molecules, to test the notebook

thrombin = molmeta.load_embedded()["CHEMBL204_Ki"]
order = np.random.default_rng(7).permutation(len(thrombin))
smiles = [thrombin.molecules.smiles[i] for i in order]
pki = thrombin.values[order]

measured = pd.DataFrame({"smiles": smiles[:32], "pKi": pki[:32].round(2)})
library = pd.DataFrame({"smiles": smiles[32 : 332 if SMOKE else 1032]})
measured.to_csv("my_assay.csv", index=False)
measured.head()

# %% [markdown]
# ## First, look at the data
#
# Most of what goes wrong with a model went wrong in the table. `molmeta data check` (here from
# Python) looks for duplicates that disagree, units, limits of measurement, salts, stereoisomers that
# a fingerprint cannot tell apart, cliffs, and says how noisy repeated measurements are.

# %%
(check,) = molmeta.check_data(molmeta.read_measurements("my_assay.csv"), threshold=7.0)
print(check.markdown())

# %% [markdown]
# ## Fit and predict
#
# `FewShotRegressor` and `FewShotClassifier` are ordinary scikit-learn estimators whose rows are
# SMILES. Keep the measured values if you have them: they say more than "active" and "inactive", and
# bounds such as `">9"` may stay as they are. Fitting takes well under a second, because nothing is
# trained: the model was trained long ago, on other assays, to learn from few measurements.

# %%
model = molmeta.FewShotRegressor.from_pretrained()
model.fit(measured["smiles"], measured["pKi"])

told = model.assess(library["smiles"])
told.sort_values("value", ascending=False).head(5).round(2)

# %% [markdown]
# Each row comes with an interval (`low` to `high`) that holds the measured value in four of five
# cases; that promise was calibrated on your own 32 measurements, by cross-validation. `nearest` is
# the most similar molecule that you measured. Where `inside` is false, nothing like the molecule was
# measured and the prediction is little more than an average.
#
# Here we know the truth, so we can hold the promise against it:

# %%
truth = pki[32 : 32 + len(library)]
inside = told["low"].le(truth) & told["high"].ge(truth)
print(f"the interval holds the measured value for {inside.mean():.0%} of the library")

# %% [markdown]
# Bad rows never stop or shift the others; they get a status.

# %%
model.assess(["CCO", "not a molecule", None, "[Na+].CC(=O)[O-]"])[["smiles", "status", "reason"]]

# %% [markdown]
# ## Is it better than a random forest?
#
# Sometimes not. `compare` cross-validates the default model, a linear probe on its network, a
# Gaussian process and a random forest on your own measurements, by molecule and by scaffold, and
# says in words what to use. With 32 measurements the intervals are wide: that is honest.

# %%
assay = molmeta.read_table("my_assay.csv").assays["pKi"]
comparison = molmeta.compare(assay, repeats=1 if SMOKE else 5)
print(comparison.recommendation())
print(comparison.summary().query("metric == 'spearman'").round(3).to_string(index=False))
print("16 more measurements would give", comparison.gain_of_more("default"))

# %% [markdown]
# ## How well did it rank?
#
# Of the best tenth of the ranking, how many are among the truly best tenth?

# %%
tenth = len(library) // 10
best = set(np.argsort(-truth)[:tenth])


def found(score) -> int:
    return len(best & set(np.argsort(-np.asarray(score))[:tenth]))


forest = molmeta.FewShotRegressor("random_forest", calibrate=False)
forest.fit(measured["smiles"], measured["pKi"])
print(f"of the {tenth} most potent, in the best tenth of the ranking:")
print(f"  default model  {found(told['value'])}")
print(f"  random forest  {found(forest.predict(library['smiles']))}")
print(f"  by chance      {tenth / 10:.0f}")

# %% [markdown]
# ## A graph network that adapts
#
# `molmeta models` lists what else is shipped. `"anil"` is a graph network, pre-trained on molecules,
# whose head takes thirty gradient steps on your measurements; `"prototypical"`, `"matching"`, `"maml"`
# and `"few_shot_gnn"` adapt in their own ways. They learn from classes, so here all three learn
# which of the 32 are above the median. This shows how, not how well: FS-Mol, which they learned
# from, has assays of thrombin. How well they do on molecules that none of them saw is in the
# documentation, beside the forest on the same assays.

# %%
active = measured["pKi"] > measured["pKi"].median()
print(f"from classes, of the {tenth} most potent, in the best tenth of the ranking:")
for name in ("anil", "default", "random_forest"):
    ranker = molmeta.FewShotClassifier.from_pretrained(name, calibrate=False)
    ranker.fit(measured["smiles"], active)
    print(f"  {name:14} {found(ranker.predict_proba(library['smiles'])[:, 1])}")

# %% [markdown]
# ## What to measure next
#
# `exploit` takes the best of the ranking, `diverse` the best of which no two are alike, `explore`
# what would teach the model most. On assays that the model never saw, the first finds most
# actives, the second more kinds of them, and the third makes the better model
# (`benchmarks/results/default-suggest.md`). Here we measure sixteen more and learn again.

# %%
batch = molmeta.suggest(
    [molmeta.read_mol(text) for text in library["smiles"]],
    told["value"],
    [molmeta.read_mol(text) for text in measured["smiles"]],
    16,
    strategy="diverse",
)
chosen = batch["position"].to_numpy()
print(f"median pKi of the first 32: {measured['pKi'].median():.2f}, of the 16: ", end="")
print(f"{np.median(truth[chosen]):.2f}")

more = pd.concat(
    [measured, pd.DataFrame({"smiles": library["smiles"][chosen], "pKi": truth[chosen]})]
)
again = molmeta.FewShotRegressor(calibrate=False).fit(more["smiles"], more["pKi"])
print(
    f"of the {tenth} most potent, in the best tenth now: {found(again.predict(library['smiles']))}"
)

# %% [markdown]
# ## Why this one?
#
# Which of your measurements move a prediction, and which atoms? An atom is blue where the score
# falls when it is made a dummy, red where it rises.

# %%
from IPython.display import SVG, display

top = molmeta.read_mol(told.sort_values("value", ascending=False)["smiles"].iloc[0])
adapted = model.trusted_.adapted
display(SVG(molmeta.draw_molecule(top, molmeta.atom_contributions(adapted, top), (380, 260))))

best_one = molmeta.Molecules([told.loc[told["value"].idxmax(), "smiles"]])
moved = molmeta.influences(adapted.base, assay, best_one)[0]
strongest = np.argsort(-np.abs(moved))[:3]
pd.DataFrame(
    {
        "measured": [assay.molecules.smiles[i] for i in strongest],
        "pKi": assay.values[strongest],
        "moves it by": moved[strongest].round(2),
    }
)

# %% [markdown]
# ## All of it as one page
#
# `molmeta report my_assay.csv library.csv --output report.html` writes everything above into one
# HTML file that you can mail: structures, a table that sorts and filters, the model card.

# %%
library.to_csv("library.csv", index=False)
print(
    molmeta.write_report(
        *("my_assay.csv", "report.html"),
        library_path="library.csv",
        threshold=None,
        repeats=1,
        wishes=molmeta.Wishes(top=20, explained=3, similar=0 if SMOKE else 8),
        overwrite=True,
    )
)

# %% [markdown]
# ## And without any measurement?
#
# A prototypical network can also read an assay's *description* in place of measurements (zero-shot).
# It is one command to register an assay by text alone, and you should know what that is worth: on
# eight test assays ΔAUPRC .046, where 16 measurements and the default learner have .19 and a constant
# score has 0 (`benchmarks/results/embedded.md`). Below it is trained on the embedded assays for a
# minute, told nothing but words, and asked to rank the same library.

# %%
from dataclasses import replace

from sklearn.metrics import roc_auc_score

train, validation, _ = molmeta.embedded_split()
experiment = molmeta.load_experiment("zero_shot")
steps = 20 if SMOKE else 100
experiment = replace(
    experiment, training=replace(experiment.training, steps=steps, evaluate_every=steps // 2)
)
by_words = molmeta.meta_train(experiment, train, validation, progress=False)

described = replace(thrombin.binarise(7.0).take(np.arange(0)), info=dict(thrombin.info))
print({key: described.info[key] for key in ("target_name", "target_class", "measurement")})
words = by_words.adapt(described).predict(molmeta.Molecules(list(library["smiles"])))
active = (truth >= 7.0).astype(int)
print(f"ROC-AUC from words alone      {roc_auc_score(active, words):.2f}")
print(f"ROC-AUC from 32 measurements  {roc_auc_score(active, told['value']):.2f}")
