"""Where the time goes in training, evaluation and screening."""

from __future__ import annotations

import cProfile
import pstats
import time

import torch
from common import SUPPORT, adapted, assays, base_model, episodes, seconds, smiles
from evaluation import DRAWS, fresh
from rdkit import Chem
from torch.profiler import ProfilerActivity, profile
from training import PAIRS, step

from molmeta.encoders import collate
from molmeta.featurizers import Standardiser
from molmeta.learners import Embedded
from molmeta.models import score_assays
from molmeta.molecules import Molecules
from molmeta.training import score_learner

PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm")
CHUNK = 1000


def training(name: str) -> None:
    """Matrix products, with the rate they run at, and the rest of a step."""
    ours, _, _ = PAIRS[name]("float32")
    once = step(ours, ours.meta_loss)
    once(0)
    with profile(activities=[ProfilerActivity.CPU], with_flops=True) as measured:
        whole = seconds(once, 1)
    events = [e for e in measured.key_averages() if e.key in PRODUCTS]
    products = sum(e.self_cpu_time_total for e in events) / 1e6
    flops = sum(e.flops for e in events)
    sampler, encoder = episodes(), next(m for m in ours.modules() if hasattr(m, "mlps"))
    start = time.process_time()
    parts = [p.x for e in sampler.meta_batch(2) for p in (e.support, e.query)]
    collate(Molecules.cat(parts), torch.device("cpu"), len(encoder.mlps))  # type: ignore[arg-type]
    built = time.process_time() - start
    print(
        f"{name} step: {whole:.3f} s; matrix products {products / whole:.0%} at "
        f"{flops / products / 1e9:.0f} GFLOP/s; episodes and collation {built / whole:.0%}"
    )


def evaluation(head: str) -> None:
    """Shares of an episode."""
    learner, assay = base_model(head).learner, assays()[0]
    list(score_learner(learner, [fresh(assay)], [SUPPORT], DRAWS, seed=0))
    profiler = cProfile.Profile(time.process_time)
    profiler.enable()
    list(score_learner(learner, [fresh(assay)], [SUPPORT], DRAWS, seed=1))
    profiler.disable()
    stats = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    whole = max(row[3] for row in stats.values())
    shown = {
        "drawing": ("evaluation_episode",),
        "adapting": ("adapt",),
        "metrics": ("delta_auprc", "roc_auc"),
        "encoding, once": ("_encode",),
    }
    found = [
        f"{what} {sum(r[3] for (_, _, f), r in stats.items() if f in names) / whole:.0%}"
        for what, names in shown.items()
    ]
    print(f"evaluation, {head}, {DRAWS} episodes, of profiled time: {'; '.join(found)}")


def screening() -> None:
    """Microseconds a molecule of every stage, the best of five rounds."""
    base, library = base_model(), smiles()
    encoder = base.learner.encoder if isinstance(base.learner, Embedded) else None
    assert encoder is not None
    one, standardiser = adapted(base, 1), Standardiser()
    best: dict[str, float] = {}
    for _ in range(5):
        spent = dict.fromkeys(
            ["RDKit reads", "standardised, with reading", "graph", "environments", "collation"], 0.0
        )
        spent |= {"encoder": 0.0, "head": 0.0}
        for start in range(0, len(library), CHUNK):
            texts = library[start : start + CHUNK]
            clock = [time.process_time()]
            for text in texts:
                Chem.MolFromSmiles(text)
            clock.append(time.process_time())
            parsed = [standardiser.molecule(text) for text in texts]
            clock.append(time.process_time())
            molecules = Molecules(texts, parsed).compute("graph")  # type: ignore[arg-type]
            clock.append(time.process_time())
            molecules.environments(len(encoder.mlps))  # type: ignore[arg-type]
            clock.append(time.process_time())
            collate(molecules, torch.device("cpu"), len(encoder.mlps))  # type: ignore[arg-type]
            clock.append(time.process_time())
            with torch.no_grad():
                encoder(molecules)
            clock.append(time.process_time())
            score_assays(one, molecules)
            clock.append(time.process_time())
            for name, a, b in zip(spent, clock, clock[1:], strict=False):
                spent[name] += b - a
        spent["head"] -= spent["encoder"]  # which it runs again
        best = {k: min(v, best.get(k, v)) for k, v in spent.items()}
    for name, total in best.items():
        print(f"screening: {name}: {total / len(library) * 1e6:.0f} µs a molecule")


def main() -> None:
    """All three."""
    torch.set_num_threads(1)
    for name in PAIRS:
        training(name)
    for head in ("anil", "prototypical"):
        evaluation(head)
    screening()


if __name__ == "__main__":
    main()
