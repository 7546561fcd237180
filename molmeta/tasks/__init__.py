"""Assays and images as few-shot tasks: episodes, how they are drawn, what is known of a molecule.

It may import `molecules` and below.
What never enters: a network, a file format, a learner.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
