r"""HTTP/1.1 without input or output: bytes in, messages out (RFC 9110, RFC 9112).

This package does not use sockets, clocks or files; all of it can be tried at the Python prompt:

>>> from reactor.http11.parser import HeadReader, Parser
>>> from reactor.settings import Settings
>>> parser = Parser(HeadReader(Settings()))
>>> parser.feed(b"GET /echo/hi HTTP/1.1\r\nHost: example\r\n\r\n")
>>> parser.next_request()
<Request GET /echo/hi>
"""
