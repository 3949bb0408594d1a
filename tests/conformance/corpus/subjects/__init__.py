"""The subjects: the readable lists that the corpus is made from, each a module with ``entries``."""

from tests.conformance.corpus.subjects import (
    byte_values,
    chunks,
    fields,
    framing,
    hosts,
    incomplete,
    limits,
    line_ends,
    persistence,
    request_lines,
    served_chunks,
    served_content,
    served_fields,
    served_lines,
    targets,
)

SUBJECTS = (
    served_lines,
    served_fields,
    served_content,
    served_chunks,
    persistence,
    request_lines,
    targets,
    hosts,
    fields,
    framing,
    chunks,
    line_ends,
    byte_values,
    limits,
    incomplete,
)
