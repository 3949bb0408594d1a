"""``python -m tests.design.snapshots``: write the snapshots; review the change with ``git diff``."""

from tests.design.snapshots import write_snapshots

write_snapshots()
