"""Score a library by adapted assays: one row out per row in, in constant memory, resumable.

`run.py` is the whole: it reads a library in shards, has an engine score them, keeps what is done,
and writes the output at the end. `scoring.py` is what every engine does with a shard.
"""

from molmeta.screening.assembly import Extras, Summary
from molmeta.screening.run import screen

__all__ = ["Extras", "Summary", "screen"]
