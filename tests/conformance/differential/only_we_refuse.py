"""What we refuse and an oracle takes: the fault, and the RFC sentence that calls it one.

A row is met when the bytes have the fault (``faults.py``) and our status is one that fits it.
"""

from collections.abc import Callable

from tests.conformance.differential import faults
from tests.conformance.differential.compare import DifferenceKind
from tests.conformance.differential.row import BOTH, H11, HTTPTOOLS, Disagreement
from tests.conformance.differential.sketch import Sketch


def _refused(
    fault: Callable[[Sketch], bool], oracles: tuple[str, ...], specification: str, *statuses: int
) -> Disagreement:
    """Make a row: we refuse, with one of these statuses, bytes that have this fault."""
    return Disagreement(
        fault.__name__.replace("_", " "),
        oracles,
        DifferenceKind.ONLY_WE_REFUSE,
        specification,
        lambda difference, sketch: difference.our_reading.status in (statuses or (400,)) and fault(sketch),
    )


ONLY_WE_REFUSE = (
    _refused(
        faults.stray_in_head,
        BOTH,
        "RFC 9112, 2.2: a bare CR makes an element invalid, and taking a bare LF for CRLF is only allowed;"
        " RFC 9110, 5.5: CR, LF and NUL in a value are dangerous and are refused or replaced",
    ),
    _refused(faults.control_in_field, H11, "RFC 9110, 5.5: a value holds no control characters but HTAB"),
    _refused(faults.folded, H11, "RFC 9112, 5.2: a server refuses a folded line with 400 or unfolds it"),
    _refused(faults.bad_host, BOTH, "RFC 9112, 3.2: an invalid Host value is answered with 400"),
    _refused(faults.no_host, BOTH, "RFC 9112, 3.2: HTTP/1.1 without Host is answered with 400"),
    _refused(faults.two_hosts, HTTPTOOLS, "RFC 9112, 3.2: more than one Host line is answered with 400"),
    _refused(
        faults.bad_target,
        BOTH,
        "RFC 9112, 3.2: a target has one of four forms, by the rules of RFC 3986; an invalid request line"
        " should be answered with 400",
    ),
    _refused(
        faults.secure_scheme,
        BOTH,
        "RFC 9110, 7.4: an https URI is rejected on a connection that is not secured; 421 says so",
        421,
    ),
    _refused(
        faults.bad_path,
        BOTH,
        "RFC 3986, 7.3: %00 is to be refused where no raw data is expected; 2.5: text in a path is UTF-8",
    ),
    _refused(
        faults.bad_request_line_of_an_incomplete_head,
        H11,
        "RFC 9112, 3: an invalid request line should be answered with 400; not when: we do not wait for the"
        " rest of the head",
    ),
    _refused(
        faults.bad_version,
        BOTH,
        "RFC 9112, 2.3: capitals and one digit each; RFC 9110, 15.6.6: 505 for another major version",
        400,
        505,
    ),
    _refused(
        faults.other_expectation, BOTH, "RFC 9110, 10.1.1: an expectation that is not known may get 417", 417
    ),
    _refused(
        faults.doubtful_length,
        H11,
        "RFC 9110, 8.6 and RFC 9112, 6.3: a list of lengths is refused, or collapsed where all are the same",
    ),
    _refused(
        faults.two_framings,
        H11,
        "RFC 9112, 6.1: Content-Length with Transfer-Encoding may be smuggling; a server may refuse it",
    ),
    _refused(
        faults.coding_in_1_0,
        BOTH,
        "RFC 9112, 6.1: Transfer-Encoding in HTTP/1.0 means that the framing is faulty",
    ),
    _refused(
        faults.other_coding,
        HTTPTOOLS,
        "RFC 9112, 6.1: an unknown coding should get 501; 6.3: chunked not last gets 400",
        400,
        501,
    ),
    _refused(
        faults.bad_chunk_line,
        BOTH,
        "RFC 9112, 7.1 and 7.1.1: hexadecimal digits, then extensions by their grammar; numbers that"
        " overflow are guarded against",
    ),
    _refused(
        faults.unfinished_chunk_line,
        H11,
        "RFC 9112, 7.1: CRLF ends a chunk line; 2.2's leniency is for heads",
    ),
    _refused(faults.bad_trailer, H11, "RFC 9112, 7.1.2: a trailer section is made of field lines"),
    _refused(
        faults.over_a_limit,
        BOTH,
        "RFC 9112, 3 and RFC 9110, 5.4, 15.5.15: what is longer than a server wants to take gets 414 or 4xx",
        400,
        414,
        431,
    ),
    _refused(
        faults.too_much_content,
        BOTH,
        "RFC 9110, 15.5.14: content larger than a server wants to take gets 413, as soon as that is known",
        413,
    ),
    _refused(
        faults.many_empty_lines,
        HTTPTOOLS,
        "RFC 9112, 2.2: at least one empty line is skipped; no number is required",
    ),
)
