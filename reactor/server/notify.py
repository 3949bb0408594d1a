"""Notifications to a service manager: systemd's sd_notify protocol.

    Variable                     Meaning
    NOTIFY_SOCKET                where to send notifications: a path, or @NAME in the abstract namespace
    WATCHDOG_USEC, WATCHDOG_PID  restart this process if it sends no WATCHDOG=1 for so many microseconds

    notifier = Notifier(os.environ)
    notifier.ready()
    timer = report_regularly(notifier, reactor, lambda: "12 connections")

A notification is one datagram. It is dropped if the service manager does not receive it at once: sending
never blocks and never raises. Without NOTIFY_SOCKET, all methods do nothing.
"""

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping

from reactor.loop import Reactor
from reactor.timer import Timer

log = logging.getLogger("reactor")

STATUS_INTERVAL = 10.0  # seconds between two reports of the status without a watchdog
MIN_WATCHDOG = 10_000  # microseconds: with a shorter timeout, the loop would do nothing but report


class Notifier:
    """Sends notifications to the service manager that the environment names."""

    def __init__(
        self,
        environment: Mapping[str, str],
        clock: Callable[[], int] = time.monotonic_ns,
        pid: int | None = None,
    ) -> None:
        self._clock = clock
        self._address = _socket_address(environment)
        self._socket: socket.socket | None = None
        if self._address is not None:
            try:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)
            except OSError as error:
                log.warning("cannot notify the service manager: %s", error.strerror)
        watched = environment.get("WATCHDOG_PID", "") in ("", str(os.getpid() if pid is None else pid))
        # In seconds; 0 without a watchdog.
        self.watchdog_timeout = _watchdog_timeout(environment) if self.active and watched else 0.0

    @property
    def active(self) -> bool:
        """Whether there is a service manager to notify."""
        return self._socket is not None

    def ready(self, status: str = "serving") -> None:
        """Report that the service has started, or has been reloaded."""
        self._send("READY=1", f"STATUS={_one_line(status)}")

    def reloading(self) -> None:
        """Report that the configuration is being reloaded; ``ready`` reports its end."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={self._clock() // 1000}")

    def stopping(self) -> None:
        """Report that the service is about to stop."""
        self._send("STOPPING=1", "STATUS=stopping")

    def status(self, text: str) -> None:
        """Report a line that describes the state of the service."""
        self._send(f"STATUS={_one_line(text)}")

    def watchdog(self) -> None:
        """Report that the service works."""
        self._send("WATCHDOG=1")

    def reload(self, function: Callable[[], None]) -> None:
        """Call a function that reloads the configuration; report its beginning and its end."""
        self.reloading()
        try:
            function()
        finally:
            self.ready()

    def close(self) -> None:
        """Close the socket; later notifications are dropped."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, *lines: str) -> None:
        if self._socket is not None and self._address is not None:
            try:
                self._socket.sendto("\n".join(lines).encode("utf-8", "replace"), self._address)
            except OSError:
                pass  # the service manager is slow, or has ended: it must not delay the service


def report_regularly(notifier: Notifier, reactor: Reactor, status: Callable[[], str]) -> Timer | None:
    """Report the status, and that the loop works, twice per watchdog timeout; None without a service manager.

    The loop itself sends the reports: while a callback blocks it, none is sent.
    """
    if not notifier.active:
        return None

    def report() -> None:
        if notifier.watchdog_timeout:
            notifier.watchdog()
        notifier.status(status())

    interval = notifier.watchdog_timeout / 2 or STATUS_INTERVAL
    return Timer(reactor, interval, report, interval)


def _socket_address(environment: Mapping[str, str]) -> str | None:
    address = environment.get("NOTIFY_SOCKET", "")
    if address and address[0] not in "/@":
        log.warning("cannot notify the service manager: invalid NOTIFY_SOCKET: %r (a path or @NAME)", address)
        return None
    return address.replace("@", "\0", 1) if address.startswith("@") else address or None


def _watchdog_timeout(environment: Mapping[str, str]) -> float:
    text = environment.get("WATCHDOG_USEC", "")
    if not text:
        return 0.0
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text) >= MIN_WATCHDOG):
        log.warning(
            "watchdog disabled: invalid WATCHDOG_USEC: %r (expected microseconds, at least %d)",
            text,
            MIN_WATCHDOG,
        )
        return 0.0
    return int(text) / 1e6


def _one_line(text: str) -> str:
    return text.replace("\n", " ")
