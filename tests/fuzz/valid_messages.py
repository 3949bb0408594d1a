"""Valid requests of many shapes, generated from the grammar by one random source.

``request`` writes one request, ``stream`` a few of them pipelined. Everything here is well-formed
by RFC 9112 and RFC 9110, which a test shows; what breaks it is in ``mutate.py``.
"""

from random import Random

METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"PATCH", b"CONNECT")
RARE_METHODS = (b"PROPFIND", b"get", b"M-SEARCH", b"X!#$%&'*+-.^_`|~9")
SEGMENTS = (
    b"",
    b"a",
    b"echo",
    b"%2F",
    b"%41%c3%a9",
    b"..",
    b".",
    b"a;b=c",
    b"~u",
    b"x" * 40,
    b"!$&'()*+,;=:@",
    b"[a]|^",
)
QUERIES = (b"", b"a=b", b"a=b&c=%20d", b"?/:@", b"q=" + b"%7E" * 8, b"[]|^{}\\`")
HOSTS = (
    b"x",
    b"example.org",
    b"example.org:8080",
    b"127.0.0.1:80",
    b"[::1]",
    b"[2001:db8::7]:443",
    b"a-b_c~d",
)
RARE_HOSTS = (b"", b"x:", b"%41.example", b"[v1.fe80::a]")
FIELDS = (
    b"User-Agent: curl/8.5.0",
    b"Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
    b"Accept-Encoding: gzip, deflate, br",
    b"Accept-Encoding: gzip;q=0.5, identity;q=0.7, *;q=0",
    b"Accept-Language: en-GB,en;q=0.7",
    b"Cookie: a=b; c=d",
    b'If-None-Match: "abc", W/"def"',
    b"Range: bytes=0-499",
    b"Referer: http://example.org/a?b#c",
    b"Content-Type: text/plain; charset=utf-8",
    b"X-Empty:",
    b"X-Blank: \t ",
    b"X-Space:   three   words   ",
    b"X-Tab:\ta\tb\t",
    b"X-Text: caf\xe9 \x80\xff",
    b'X-Quoted: "a \\" b", :;,',
    b"!#$%&'*+-.^_`|~: token",
    b"x-LoWeR: 1",
    b"TE: trailers",
)
CONNECTIONS = (b"close", b"keep-alive", b"Close", b"Keep-Alive, TE", b"TE, close", b"x-unknown", b"te,,close")
EXTENSIONS = (
    b"",
    b"",
    b"",
    b";a",
    b";a=b",
    b';a="b c"',
    b';q="\\"";r=s;t',
    b" ; a = b",
    b'\t;\ta\t=\t"\xe9"',
)
TRAILERS = (b"", b"", b"X-Sum: 1\r\n", b"X-Sum: 1\r\nX-More:\r\n", b"Content-Length: 9\r\n")


def stream(random: Random) -> bytes:
    """Write one to four requests, rarely with an empty line before one."""
    count = random.choice((1, 1, 1, 2, 4))
    return b"".join(b"\r\n" * (random.random() < 0.05) + request(random) for _ in range(count))


def request(random: Random) -> bytes:
    """Write one request."""
    method = random.choice(METHODS) if random.random() < 0.95 else random.choice(RARE_METHODS)
    version = b"HTTP/1.1" if random.random() < 0.85 else b"HTTP/1.0"
    lines = random.choices(FIELDS, k=random.choice((0, 1, 2, 5)))
    if version == b"HTTP/1.1" or random.random() < 0.5:
        lines.append(_name(random, b"Host") + b":" + _spaced(random, host(random)))
    if random.random() < 0.3:
        lines.append(_name(random, b"Connection") + b":" + _spaced(random, random.choice(CONNECTIONS)))
    framing, body = _content(random, version)
    if framing:
        lines.append(framing)
        if version == b"HTTP/1.1" and random.random() < 0.1:
            lines.append(b"Expect: " + random.choice((b"100-continue", b"100-Continue")))
    random.shuffle(lines)
    request_line = b"%b %b %b" % (method, target(random, method), version)
    return b"\r\n".join([request_line, *lines, b"", body])


def target(random: Random, method: bytes) -> bytes:
    """Write a target in one of the forms that the method has."""
    if method == b"CONNECT":
        return random.choice((b"example.org:443", b"[::1]:80", b"127.0.0.1:8080"))
    if method == b"OPTIONS" and random.random() < 0.4:
        return b"*"
    segments = b"/".join(random.choices(SEGMENTS, k=random.randrange(4)))
    path = b"/" + segments
    query = b"?" + random.choice(QUERIES) if random.random() < 0.3 else b""
    if random.random() < 0.15:
        scheme = random.choice((b"http", b"HTTP"))
        path = path if random.random() < 0.8 else b""
        return scheme + b"://" + random.choice(HOSTS) + path + query
    return path + query


def host(random: Random) -> bytes:
    """Write a Host value."""
    return random.choice(HOSTS) if random.random() < 0.9 else random.choice(RARE_HOSTS)


def chunks(random: Random) -> bytes:
    """Write content in the chunked coding, to its end."""
    pieces = []
    for _ in range(random.choice((0, 1, 2, 3, 6))):
        data = random.randbytes(random.choice((1, 2, 9, 10, 16, 200)))
        size = random.choice((b"%x", b"%X", b"0%x", b"%05x")) % len(data)
        pieces.append(b"%b%b\r\n%b\r\n" % (size, random.choice(EXTENSIONS), data))
    last = random.choice((b"0", b"0", b"000")) + random.choice(EXTENSIONS)
    return b"".join(pieces) + last + b"\r\n" + random.choice(TRAILERS) + b"\r\n"


def accept_encoding(random: Random) -> bytes:
    """Write an Accept-Encoding value."""
    members = []
    for _ in range(random.randrange(5)):
        coding = random.choice((b"gzip", b"x-gzip", b"identity", b"*", b"br", b"deflate", b"GZip"))
        weight = random.choice((b"", b"", b";q=0", b";q=1", b";q=0.5", b" ; q=0.001", b";Q=1.000", b";q=0."))
        members.append(coding + weight)
    return random.choice((b",", b", ", b" ,\t", b",,")).join(members)


def _content(random: Random, version: bytes) -> tuple[bytes, bytes]:
    """Write the field line that frames some content, and its message body; rarely either."""
    choice = random.random()
    if choice < 0.5:
        return b"", b""
    if choice < 0.75 or version == b"HTTP/1.0":
        data = random.randbytes(random.choice((0, 1, 5, 100)))
        length = random.choice((b"%d", b"%d", b"%04d")) % len(data)
        return _name(random, b"Content-Length") + b":" + _spaced(random, length), data
    coding = random.choice((b"chunked", b"chunked", b"Chunked"))
    return _name(random, b"Transfer-Encoding") + b":" + _spaced(random, coding), chunks(random)


def _name(random: Random, name: bytes) -> bytes:
    return random.choice((name, name, name.lower(), name.upper()))


def _spaced(random: Random, value: bytes) -> bytes:
    before = random.choice((b" ", b" ", b" ", b"", b"\t", b"  "))
    return before + value + random.choice((b"", b"", b"", b" ", b"\t "))
