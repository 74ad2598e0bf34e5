"""A projection made anew from the log, beside the one that readers see, which goes on being kept up to date meanwhile.

The new table is loaded from the log, partition by partition and in parallel, gets its keys, catches up with what was written
meanwhile, is compared with the old one, and takes its place in one transaction. The old one is kept for a rollback.
"""

from eventlib.projections.rebuild.cut_over import discard, rollback
from eventlib.projections.rebuild.rebuilding import Rebuilt, rebuild

__all__ = ["Rebuilt", "discard", "rebuild", "rollback"]
