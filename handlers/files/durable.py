"""Storing uploads with ``--fsync``: they are on the disk before the client gets a response.

    step                             in
    write the content to the disk    a worker thread
    check conditions, and rename     the loop, as without ``--fsync``
    write the directory to the disk  a worker thread

The disk may take long, so the other steps must not block the loop.
"""

from collections.abc import Callable
from math import inf

from reactor.http11.deferred import Deferred, Steps
from reactor.http11.message import Request, Response
from reactor.routing import Handler

from .forms import FormUpload
from .resumable import UploadSink, final
from .upload import Upload, commit_error_from


def storing(store: Callable[[Request], Response], fsync: bool) -> Handler:
    """Return a handler that does what ``store`` does, and with ``fsync`` writes the upload to the disk.

    Without a timeout: after 503, the file could still be stored.
    """
    return (lambda request: Deferred(_steps(request, store), timeout=inf)) if fsync else store


def _steps(request: Request, store: Callable[[Request], Response]) -> Steps:
    upload = request.upload
    assert isinstance(upload, (Upload, FormUpload, UploadSink)), f"unexpected upload: {upload!r}"
    if isinstance(upload, UploadSink) and not upload.claim():
        return store(request)
    try:
        yield upload.sync
        response = store(request)
        yield upload.sync_directory
    except OSError as error:
        failure = commit_error_from(error)
        raise final(failure) if isinstance(upload, UploadSink) else failure from None
    return response
