"""What learns from the support alone, behind the two verbs of a learner.

It may import `learners` and below.
What never enters: an encoder of its own, anything meta-learned without a name for it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
