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
# # Images: the same learners, unchanged
#
# Few-shot learning grew up on images: five pictures of a new character, and the model should find
# others of it. `molmeta`'s learners do not know molecules from images: an encoder turns either
# into vectors, and the learner is p(y | x, support). So the papers' own benchmarks run through a thin
# adapter, and are how we check that the learners are what they claim to be.
#
# Here we use scikit-learn's handwritten digits, which are on your disk already. Omniglot and
# miniImageNet are read from the files of their authors in the same way (at the end).

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import molmeta

SMOKE = bool(os.environ.get("MOLMETA_SMOKE"))  # fewer steps and tasks, to test the notebook

digits = molmeta.load_digits()
print(digits)

# %% [markdown]
# ## Classes to learn from, and new ones
#
# Meta-learning is about *new* classes: seven digits teach the learner, three are only looked at in
# the end. Seven are few, so each digit turned by a quarter is a class of its own, as in the papers.

# %%
train = digits.select([0, 1, 2, 3, 4, 5, 6]).rotated()
test = digits.select([7, 8, 9])
print(train)
print(test)

# %% [markdown]
# ## An episode
#
# A task is data: a support set to learn from, and a query to be asked about.

# %%
from molmeta.tasks import evaluation_images

episode = evaluation_images(test, n_way=3, k_shot=5, query_shots=5, draw=0, seed=0)
figure, axes = plt.subplots(3, 10, figsize=(8, 2.6))
for part, start in ((episode.support, 0), (episode.query, 5)):
    for label in range(3):
        rows = (part.y == label).nonzero()[:, 0][:5]
        for k, row in enumerate(rows):
            axis = axes[label, start + k]
            axis.imshow(part.x[row, 0], cmap="gray_r")
for axis in axes.flat:
    axis.set_xticks([]), axis.set_yticks([])
axes[0, 2].set_title("support")
axes[0, 7].set_title("query")

# %% [markdown]
# ## Train a learner, adapt it, ask it
#
# Two verbs, as for molecules: `state = learner.adapt(support)`, then `learner(x, state)`. The state is
# a dict of plain tensors; the model itself does not change. Each begins here with random convolutions;
# in the benchmark most begin with those of Prototypical Networks (`encoder_from`).

# %%
from dataclasses import replace


def trained(name: str):
    experiment = molmeta.load_experiment(f"images/{name}")
    training = replace(experiment.training, steps=10 if SMOKE else 120)
    training = replace(training, encoder_from="", encoder_lr=None)  # begin at random
    experiment = replace(experiment, training=training)
    return molmeta.meta_train_images(experiment, train, n_way=5, progress=False)


prototypical = trained("prototypical")
learner = prototypical.learner
state = learner.adapt(episode.support)
print({name: tuple(tensor.shape) for name, tensor in state.items()})
hits = learner(episode.query.x, state).argmax(dim=1) == episode.query.y
print(f"{int(hits.sum())} of {len(hits)} right")

# %% [markdown]
# Trained on tasks of five classes, asked about three that it has never seen: a prototype is a mean, and
# takes as many classes as there are.
#
# ## Several learners on the same tasks
#
# The yardstick is the nearest neighbour on raw pixels.

# %%
from molmeta.metrics import bootstrap_interval
from molmeta.models import untrained
from molmeta.training import score_images

models = {
    "pixels, nearest neighbour": untrained(molmeta.load_experiment("images/nearest_neighbours")),
    "Prototypical Networks": prototypical,
    "Matching Networks": trained("matching"),
    "Siamese networks": trained("siamese"),
}
rows = []
for name, model in models.items():
    for k_shot in (1, 5):
        scores = score_images(model.learner, test, name, 3, [k_shot], 5, 20 if SMOKE else 100)
        values = [score.value for score in scores]
        shown = bootstrap_interval(values).text(".3f")
        rows.append({"learner": name, "k_shot": k_shot, "accuracy, 95 % interval": shown})
pd.DataFrame(rows).pivot(index="learner", columns="k_shot", values="accuracy, 95 % interval")

# %% [markdown]
# **Here the pixels win.** Digits of 8 × 8 dots, all upright and centred, need no learned eye, and 28
# classes teach little. Where drawings vary more and there are more of them to learn from it turns: on
# a small set of Omniglot (five alphabets, 5-way 5-shot) pixels have 65 %, Prototypical Networks,
# ANIL, MAML and Matching Networks 93 to 95 % (`benchmarks/results/omniglot-small1.md`). A yardstick in every
# table is how one finds out.
#
# ## What a Prototypical Network sees
#
# Its vectors of the three unseen digits, in the plane of their two principal components: drawings of
# one digit lie together, although nobody told it that there are such digits.

# %%
import torch

with torch.no_grad():
    picked = np.concatenate([np.flatnonzero(test.labels == k)[:60] for k in range(3)])
    vectors = learner.encoder(test.tensor(picked))
centred = vectors - vectors.mean(dim=0)
plane = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T
figure, axis = plt.subplots(figsize=(4.2, 3.4))
for k, name in enumerate(test.names):
    part = plane[test.labels[picked] == k]
    axis.scatter(*part.T, s=12, label=name)
axis.legend(frameon=False)
axis.set_xticks([]), axis.set_yticks([])

# %% [markdown]
# ## Your own pictures, in ten lines
#
# Any folder with a folder of pictures for each class. Here are the digits again, written as such a folder;
# put yours in its place. Seven classes teach, three are new: of each of these five pictures are shown, and
# all others are asked about. A bar shows how training goes.

# %%
from pathlib import Path
from tempfile import mkdtemp

from PIL import Image

folder = Path(mkdtemp())
for number, (pixels, label) in enumerate(zip(digits.pixels, digits.labels, strict=True)):
    path = folder / digits.names[label] / f"{number}.png"
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels[0]).resize((28, 28)).save(path)

# %%
from sklearn.metrics import ConfusionMatrixDisplay

from molmeta.tasks import Examples

pictures = molmeta.load_image_folder(folder, size=28, channels=1)
known, new = pictures.select(range(7)), pictures.select([7, 8, 9])
experiment = molmeta.load_experiment("images/prototypical")
steps = 10 if SMOKE else 300  # with more classes to learn from, more: the experiment has 1,500
experiment = replace(experiment, training=replace(experiment.training, steps=steps))
model = molmeta.meta_train_images(experiment, known.rotated(), n_way=5, progress=True)
shown = np.concatenate([np.flatnonzero(new.labels == k)[:5] for k in range(3)])
asked = np.setdiff1d(np.arange(len(new.labels)), shown)
support = Examples(
    new.tensor(shown), torch.from_numpy(new.labels[shown]), molmeta.Classification(3)
)
state = model.learner.adapt(support)
with torch.no_grad():
    found = model.learner(new.tensor(asked), state).argmax(dim=1).numpy()
ConfusionMatrixDisplay.from_predictions(
    new.labels[asked], found, display_labels=new.names, cmap="Greens", colorbar=False
)
print(f"{(found == new.labels[asked]).mean():.0%} of {len(asked)} pictures right")

# %% [markdown]
# ## The papers' benchmarks
#
# On the command line, with the files that you have:
#
# ```bash
# molmeta benchmark --images omniglot --data-path images_background.zip images_evaluation.zip \
#                   --learners all --published-size --draws 1000 --output omniglot.csv
# molmeta benchmark --images miniimagenet --data-path miniImageNet/ --learners all --n-way 5 \
#                   --published-size --draws 600 --output miniimagenet.csv
# ```
#
# What we found on one of Omniglot's small sets, beside the published figures, is in
# `benchmarks/results/omniglot-small1.md`: with 70 to 90 characters to learn
# from we are below them, and far below on one hard alphabet.
