"""Inputs to vectors: the only room that knows molecules from images.

It may import `tasks` and below; feature blocks as they are, never a featuriser.
What never enters: a learner, RDKit.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
