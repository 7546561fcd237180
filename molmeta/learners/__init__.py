"""One paper a file. A learner knows no molecule, graph or data set."""
