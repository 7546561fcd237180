"""Molecules as flat arrays: feature blocks, graphs, distinct atom environments, identity.

It may import the small tools at the root.
What never enters: an assay, a label, a network.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
