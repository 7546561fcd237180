"""Goal 7: bytes a molecule, against torch_geometric's `Data`."""

from __future__ import annotations

from common import LAYERS, Row, main, smiles

from molmeta.molecules import Graphs, Molecules


def rows() -> list[Row]:
    """The graph block; and the environments, which are kept beside it while a model trains."""
    molecules = Molecules(smiles())
    graphs: Graphs = molecules.block("graph")
    kept = molecules.environments(LAYERS).nbytes / len(molecules)
    data = [vars(one)["_store"] for one in molecules.to_pyg_list()]
    tensors = [(one["x"], one["edge_index"], one["edge_attr"]) for one in data]
    theirs = sum(t.nbytes for row in tensors for t in row) / len(molecules)
    ours, unit, peer = graphs.nbytes / len(molecules), "bytes a molecule", "PyG Data, tensors alone"
    return [
        Row("graphs stored", peer, ours, theirs, theirs / ours, theirs / 250, unit),
        Row(
            f"graphs and environments to radius {LAYERS}",
            peer,
            ours + kept,
            theirs,
            theirs / (ours + kept),
            float("nan"),
            unit,
        ),
    ]


if __name__ == "__main__":
    main(rows)
