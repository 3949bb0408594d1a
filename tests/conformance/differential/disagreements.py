"""Where we and an oracle part on purpose: each class with the RFC sentence that decides it.

A predicate matches each from the bytes, never from the reason that our parser gave. What is in no
row is a fault, here or there: ``__main__`` and the test print its bytes and its seed. How an oracle
words the same message differently is in ``translations.py``.
"""

from tests.conformance.differential.compare import Difference
from tests.conformance.differential.only_they_refuse import ONLY_THEY_REFUSE, OTHERS
from tests.conformance.differential.only_we_refuse import ONLY_WE_REFUSE
from tests.conformance.differential.row import Disagreement
from tests.conformance.differential.sketch import Sketch

DISAGREEMENTS = (*ONLY_WE_REFUSE, *ONLY_THEY_REFUSE, *OTHERS)


def listed(difference: Difference) -> Disagreement | None:
    """Return the class that a difference belongs to, or None."""
    sketch = Sketch(difference.data)
    for each in DISAGREEMENTS:
        if (
            difference.kind is each.kind
            and difference.oracle in each.oracles
            and each.matches(difference, sketch)
        ):
            return each
    return None
