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
# # Nguyen et al. 2020, run again
#
# "Meta-Learning Initializations for Low-Resource Drug Discovery" asks whether a graph network that was
# meta-trained (MAML, FOMAML, ANIL) is a better start for a new assay than one that was trained on all
# assays at once (Finetune-All, Finetune-Top, kNN). This notebook runs the whole study at its smallest
# size, part by part, and then shows what a longer run gave. The smallest size shows the way, not who
# wins: its networks learn for seconds.

# %%
import os
from pathlib import Path

import torch
from IPython.display import Image, Markdown, display

import molmeta
from molmeta.datasets import at_most, recreate
from molmeta.evaluation import Protocol, prepared
from molmeta.reproduce import SIZES, describe, reproduce

torch.set_num_threads(1)
SMOKE = bool(os.environ.get("MOLMETA_SMOKE"))  # fewer methods, to test the notebook
size = SIZES["smoke"]

# %% [markdown]
# ## A molecule as the paper reads it
#
# 75 features for each atom, and an adjacency with self-loops. The paper took them from OpenEye; here
# RDKit gives them, and `molmeta.featurizers.atoms75` says where the two differ.

# %%
aspirin = molmeta.Molecules(["CC(=O)Oc1ccccc1C(=O)O"])
graph = aspirin.block("atoms75")
features = graph.atom_features()[graph.atom_code]
print(features.shape, "of which set:", int((features != 0).sum()))

# %% [markdown]
# ## The network, and how it is trained
#
# Seven gated graph layers, 358,149 parameters. An experiment is a configuration; this is MAML's as
# published. `compat="gsk2020"` keeps each deviation of the released code from the paper,
# `compat="corrected"` does what the paper says.

# %%
from molmeta.models import untrained

published = molmeta.load_experiment("nguyen2020/maml")
network = untrained(published).learner
print(f"{sum(p.numel() for p in network.parameters()):,} parameters")
print(published.model.learner, published.training.steps, "steps")

# %% [markdown]
# ## The data
#
# The paper's own assays are not to be had; what its authors released of them can be read
# (`--data-path` with their folder). Everything else is a re-creation on assays at hand, here the
# 30 that are shipped. Each test assay is split into a part to learn from, one to stop by and one to be
# judged on.

# %%
split = prepared(molmeta.embedded_split(), Protocol())
study = recreate(
    at_most(split, size.most), size.support_sizes, validation_assays=size.validation_assays
)
Markdown(describe(study, size, "corrected", released=False))

# %% [markdown]
# ## Train and judge
#
# Every method gets the same supports. The random forest is what the paper left out.

# %%
methods = ["anil", "random_forest"]
if not SMOKE:
    methods += ["maml", "fomaml", "multi_task"]
results = reproduce(study, size, Path("runs"), methods=methods, workers=1, progress=False)
auprc = results.scores[results.scores["metric"] == "auprc"]
auprc.pivot_table(index="learner", columns="support_size", values="value").round(3)

# %% [markdown]
# One model of each kind and two test assays say nothing about who is ahead. From here on, a run that
# does.
#
# ## What a longer run gave
#
# `molmeta reproduce nguyen2020 --size night` on FS-Mol's assays and on whole-organism assays, with the
# published network and a sixteenth of the published meta-training. First, how the training went: the
# mean AUPRC of the validation assays, by which the best step is chosen, and the loss by which multi-task
# training is stopped.

# %%
folder = Path(molmeta.__file__).parents[1] / "benchmarks" / "results"
there = (folder / "nguyen2020-night.md").exists()  # in a checkout
if there:
    display(Image(str(folder / "nguyen2020-night-curves.png"), width=800))
else:
    print("benchmarks/results/ is in the repository, not in an installed package")

# %% [markdown]
# The same models, judged on 40 assays in distribution, none of which has most of its molecules in those
# before it, on ADMET assays (out of distribution) and on whole-organism assays:

# %%
if there:
    display(Image(str(folder / "nguyen2020-further.png"), width=900))
    parts = (folder / "nguyen2020-further.md").read_text(encoding="utf-8").split("\n## ")
    for part in parts:
        if part.startswith(("AUPRC", "Against", "Beside")):
            display(Markdown("### " + part))

# %% [markdown]
# What may be quoted: at a sixteenth of the published meta-training MAML ranks better than a multi-task
# network that is fine-tuned as a whole, at every number of measurements, but no better than a new head
# on the same network; its lead is not larger on ADMET assays, out of distribution; and a random forest
# on the same measurements is ahead of both. That is one model of each kind;
# `docs/results/paper.md` says what is still to come, and how many of the assays share their molecules.

# %% [markdown]
# ## To go on
#
# `molmeta reproduce nguyen2020 --size paper` is the published setting, for a GPU; it goes on where it
# was stopped, and `torchrun` divides a training among several. `--compat gsk2020` runs it as released.
