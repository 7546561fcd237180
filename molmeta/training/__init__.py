"""Meta-training: data and an experiment in, a model out; the loop, its looks, its checkpoints.

It may import `models` and below.
What never enters: a benchmark, a library, a plot.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
