"""A chemist's questions: estimators, comparison, suggestion, trust, curation, report, doctor.

It may import `evaluation`, `screening` and below.
What never enters: how a learner learns; a command line.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
