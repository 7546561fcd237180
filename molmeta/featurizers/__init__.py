"""RDKit to feature blocks, and the one policy by which molecules are standardised.

It may import `tasks` and below.
What never enters: a learner, an encoder, a label.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
