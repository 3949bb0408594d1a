"""What the worst inputs cost, in time per byte, compared with valid ones.

Only the command measures time: on a busy machine no threshold is reliable. The test suite counts
bytes instead (``counting.py``). Each input is measured in turn with its baseline, a few
times, and the shortest time of each counts.
"""

import time
from collections.abc import Sequence

from tests.fuzz.worst import BASELINES, WORST, Input, pieces_of

SIZE = 1 << 20
ROUNDS = 5
LIMIT = 2.0  # times the cost per byte of the baseline


def measure_all(inputs: Sequence[Input] = WORST, size: int = SIZE) -> int:
    """Print a table of what each input costs; return how many are over the limit."""
    print(f"{'ns/byte':>9} {'baseline':>9} {'ratio':>7} {'growth':>7}  {size >> 10} KiB of each")
    over = 0
    for each in inputs:
        cost, fair = side_by_side(each, baseline_of(each), size)
        growth = cost / _time(each, each.write(size // 8))
        mark = f"  OVER {LIMIT:g}" if cost > LIMIT * fair else ""
        over += bool(mark)
        numbers = f"{cost:9.1f} {fair:9.1f} {cost / fair:7.2f} {growth:7.2f}"
        print(f"{numbers}  {each.name} ({each.baseline}){mark}", flush=True)
    print(f"{over} of {len(inputs)} cost more than {LIMIT:g} times their baseline")
    return over


def baseline_of(worst: Input) -> Input:
    """Return the baseline of an input."""
    return next(each for each in BASELINES if each.name == worst.baseline)


def side_by_side(one: Input, other: Input, size: int) -> tuple[float, float]:
    """Return the shortest times of two inputs, in nanoseconds per byte, measured in turn."""
    rounds = 1 if one.piece == 1 else ROUNDS  # byte by byte takes seconds, and varies little
    times = [(_time(one, one.write(size)), _time(other, other.write(size))) for _ in range(rounds)]
    return min(cost for cost, _ in times), min(cost for _, cost in times)


def _time(each: Input, data: bytes) -> float:
    pieces = pieces_of(data, each.piece)
    started = time.process_time_ns()
    each.read(pieces)
    return (time.process_time_ns() - started) / len(data)
