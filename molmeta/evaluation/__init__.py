"""Honest benchmarks: the same episodes for all, paired intervals, the leakage audit, the tables.

It may import `training`, `screening` and below.
What never enters: a study of one paper, a chemist's own question.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
