"""The grammar: each ABNF rule that a server parses, and its regular expression.

Every pattern is linear: there is only one way to match an input, or two for that of a whole head. The rules
have their names from RFC 9110 (semantics), RFC 9112 (messages) and RFC 3986 (URIs); "x / y" is a choice, "*x"
any number.

The callers interpret the matches, and raise ``ProtocolError`` if the input does not match.
"""

import re

# token = 1*tchar                                                                  RFC 9110, 5.6.2
# tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." /
#         "^" / "_" / "`" / "|" / "~" / DIGIT / ALPHA
TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
is_token = re.compile(TOKEN).fullmatch

# method = token                                                                   RFC 9112, 3.1
is_method = is_token
# The methods of RFC 9110, 9.1, and PATCH (RFC 5789); any other token is a valid but unknown method.
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")

# HTTP-version = "HTTP" "/" DIGIT "." DIGIT   (in capitals)                        RFC 9112, 2.3
HTTP_VERSION = rb"HTTP/([0-9])\.([0-9])"
match_version = re.compile(HTTP_VERSION).fullmatch

# field-line = field-name ":" OWS field-value OWS                                  RFC 9112, 5
# field-name = token
# field-value = *( field-vchar [ 1*( SP / HTAB / field-vchar ) field-vchar ] )     RFC 9110, 5.5
# field-vchar = VCHAR / obs-text
# Optional whitespace around the value is stripped after the match, which keeps this linear.
FIELD_CONTENT = rb"[\t \x21-\x7e\x80-\xff]*"
match_field_line = re.compile(rb"(" + TOKEN + rb"):(" + FIELD_CONTENT + rb")").fullmatch

# field-line, without groups. Possessive quantifiers (one more "+") save a sixth of the time; on groups, they
# match wrongly before Python 3.11.5 (gh-106052).
FIELD_LINE = TOKEN + rb"+:" + FIELD_CONTENT + rb"+"

# A line ends in CRLF; a CR or LF alone, and NUL, are never part of a head.        RFC 9112, 2.2
# The search skips other bytes six times as fast if the expression begins with a set.
find_stray_control = re.compile(rb"[\r\n\0](?<!\r\n)(?!(?<=\r)(?:\n|\Z))").search

# A byte that is not part of a line end.
find_no_line_end = re.compile(rb"[^\r\n]").search

# unreserved = ALPHA / DIGIT / "-" / "." / "_" / "~"                               RFC 3986, 2.3
# sub-delims = "!" / "$" / "&" / "'" / "(" / ")" / "*" / "+" / "," / ";" / "="     RFC 3986, 2.2
# pct-encoded = "%" HEXDIG HEXDIG                                                  RFC 3986, 2.1
# pchar = unreserved / pct-encoded / sub-delims / ":" / "@"                        RFC 3986, 3.3
UNRESERVED = rb"0-9A-Za-z\-._~"
SUB_DELIMS = rb"!$&'()*+,;="
PCT_ENCODED = rb"%[0-9A-Fa-f]{2}"
# Browsers leave more characters unencoded than RFC 3986 (WHATWG URL, "percent-encode sets").
RAW_IN_PATH = rb"\[\]|^"
RAW_IN_QUERY = RAW_IN_PATH + rb"{}\\`"
PATH_BYTES = rb"[/:@" + UNRESERVED + SUB_DELIMS + RAW_IN_PATH + rb"]*+"
PATH = PATH_BYTES + rb"(?:" + PCT_ENCODED + PATH_BYTES + rb")*"
QUERY_BYTES = rb"[/?:@" + UNRESERVED + SUB_DELIMS + RAW_IN_QUERY + rb"]*+"
QUERY = QUERY_BYTES + rb"(?:" + PCT_ENCODED + QUERY_BYTES + rb")*"
# Replaces each of these raw characters in a text.
replace_raw = re.compile((rb"[" + RAW_IN_QUERY + rb"]").decode()).sub

# origin-form = absolute-path [ "?" query ]                                        RFC 9112, 3.2.1
# absolute-path = 1*( "/" segment )
match_origin_form = re.compile(rb"(/" + PATH + rb")(?:\?(" + QUERY + rb"))?").fullmatch

# absolute-form = absolute-URI, here of the schemes http and https                 RFC 9112, 3.2.2
match_absolute_form = re.compile(
    rb"https?://([^/?#]*+)((?:/" + PATH + rb")?)(?:\?(" + QUERY + rb"))?", re.IGNORECASE
).fullmatch

# request-line = method SP request-target SP HTTP-version                          RFC 9112, 3
# HTTP-message = start-line CRLF *( field-line CRLF ) CRLF [ message-body ]        RFC 9112, 2.1
# The groups: method; path and query, or another form of target, which is tried if they do not match; minor
# version. "%d" stands for the maximum number of lines.
TARGET = rb"(?:(/" + PATH + rb")(?:\?(" + QUERY + rb"))?|([^ \r\n\0]++))"
REQUEST_LINE = rb"(" + TOKEN + rb"+) " + TARGET + rb" HTTP/1\.([0-9])"
FIELD_LINES = rb"(?:" + FIELD_LINE + rb"\r\n){0,%d}"
HEAD = REQUEST_LINE + rb"\r\n" + FIELD_LINES + rb"\r\n"

# Host = uri-host [ ":" port ]                                                     RFC 9110, 7.2
# uri-host = IP-literal / IPv4address / reg-name                                   RFC 3986, 3.2.2
# IP-literal = "[" ( IPv6address / IPvFuture ) "]"
# reg-name = *( unreserved / pct-encoded / sub-delims ); port = *DIGIT
# A comma is valid in a reg-name, but is rejected, since two combined Host lines look the same.
REG_NAME_BYTES = rb"[" + UNRESERVED + SUB_DELIMS.replace(b",", b"") + rb"]*+"
match_host = re.compile(
    rb"(?:\[([0-9A-Fa-f:.]+)\]|\[[vV][0-9A-Fa-f]+\.[" + UNRESERVED + SUB_DELIMS + rb":]+\]|"
    rb"(" + REG_NAME_BYTES + rb"(?:" + PCT_ENCODED + REG_NAME_BYTES + rb")*))(?::([0-9]*))?"
).fullmatch

# Content-Length = 1*DIGIT                                                         RFC 9110, 8.6
is_content_length = re.compile(r"[0-9]+", re.ASCII).fullmatch

# quoted-string = DQUOTE *( qdtext / quoted-pair ) DQUOTE                          RFC 9110, 5.6.4
# qdtext = HTAB / SP / %x21 / %x23-5B / %x5D-7E / obs-text
# quoted-pair = "\" ( HTAB / SP / VCHAR / obs-text )
QUOTED_STRING = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'

# chunk = chunk-size [ chunk-ext ] CRLF chunk-data CRLF; chunk-size = 1*HEXDIG     RFC 9112, 7.1
# chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )        RFC 9112, 7.1.1
# chunk-ext-name = token; chunk-ext-val = token / quoted-string; BWS = *( SP / HTAB )
match_chunk_line = re.compile(
    rb"([0-9A-Fa-f]{1,16})"
    rb"(?:[ \t]*;[ \t]*" + TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + TOKEN + rb"|" + QUOTED_STRING + rb"))?)*"
).fullmatch

# Accept-Encoding = #( codings [ weight ] )                                        RFC 9110, 12.5.3
# codings = content-coding / "identity" / "*"; content-coding = token
# weight = OWS ";" OWS "q=" qvalue                                                 RFC 9110, 12.4.2
# qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )
# Only codings that the server can use are found; others are skipped.
find_weighted_codings = re.compile(
    r"(?:^|,)[ \t]*(gzip|x-gzip|br|zstd|identity|\*)"
    r"(?:[ \t]*;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?[ \t]*(?=,|\Z)",
    re.ASCII | re.IGNORECASE,
).findall

# The weight among the parameters of a member of Accept, without trailing whitespace.
find_weight = re.compile(
    r";[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*(?:;|\Z)", re.ASCII | re.IGNORECASE
).search

# HTTP-date = IMF-fixdate / obs-date; obs-date = rfc850-date / asctime-date        RFC 9110, 5.6.7
# IMF-fixdate = day-name "," SP day SP month SP year SP time-of-day SP GMT
# rfc850-date = day-name-l "," SP day "-" month "-" 2DIGIT SP time-of-day SP GMT
# asctime-date = day-name SP month SP ( 2DIGIT / ( SP 1DIGIT )) SP time-of-day SP year
# time-of-day = hour ":" minute ":" second; day = hour = minute = second = 2DIGIT; year = 4DIGIT
# Names are case-sensitive. The caller checks the ranges of numbers, such as hour 24.
DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAY_NAME = rf"(?:{'|'.join(DAY_NAMES)})"
DAY_NAME_LONG = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
MONTH = rf"(?P<month>{'|'.join(MONTH_NAMES)})"
TIME_OF_DAY = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
match_imf_fixdate = re.compile(
    rf"{DAY_NAME}, (?P<day>[0-9]{{2}}) {MONTH} (?P<year>[0-9]{{4}}) {TIME_OF_DAY} GMT"
).fullmatch
match_rfc850_date = re.compile(
    rf"{DAY_NAME_LONG}, (?P<day>[0-9]{{2}})-{MONTH}-(?P<year>[0-9]{{2}}) {TIME_OF_DAY} GMT"
).fullmatch
match_asctime_date = re.compile(
    rf"{DAY_NAME} {MONTH} (?P<day>[0-9]{{2}}| [0-9]) {TIME_OF_DAY} (?P<year>[0-9]{{4}})"
).fullmatch

# #element, as it is read: [ element ] *( OWS "," OWS [ element ] ); OWS = *( SP / HTAB )   RFC 9110, 5.6.1.2
# Whitespace is matched either before a comma or before an element, so that there is only one way.
LIST = r"(?:{0})?(?:[ \t]*,(?:[ \t]*(?:{0}))?)*[ \t]*"

# If-Match = If-None-Match = "*" / #entity-tag                                     RFC 9110, 13.1.1
# entity-tag = [ weak ] opaque-tag; weak = %s"W/"                                  RFC 9110, 8.8.3
# opaque-tag = DQUOTE *etagc DQUOTE; etagc = %x21 / %x23-7E / obs-text
# Commas and backslashes are ordinary characters (etagc): an opaque-tag is not a quoted-string.
ENTITY_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
is_entity_tag = re.compile(ENTITY_TAG).fullmatch
is_entity_tags = re.compile(LIST.format(ENTITY_TAG)).fullmatch
find_entity_tags = re.compile(ENTITY_TAG).findall

# Range = ranges-specifier = range-unit "=" range-set; range-set = 1#range-spec    RFC 9110, 14.1.1, 14.2
# range-spec = int-range / suffix-range, in the unit bytes                         RFC 9110, 14.1.2
# int-range = first-pos "-" [ last-pos ]; suffix-range = "-" suffix-length
# first-pos = last-pos = suffix-length = 1*DIGIT; the unit is case-insensitive
# A set without members matches, too; the caller checks the number of members. Whitespace after "=" occurs
# only in an example of 14.1.2; it is matched possessively, since the list may begin with whitespace.
BYTE_RANGE = r"[0-9]+-[0-9]*|-[0-9]+"
match_byte_ranges = re.compile(
    rf"bytes=[ \t]*+({LIST.format(BYTE_RANGE)})", re.ASCII | re.IGNORECASE
).fullmatch
find_byte_ranges = re.compile(r"([0-9]*)-([0-9]*)").findall

# credentials = auth-scheme [ 1*SP ( token68 / #auth-param ) ]                     RFC 9110, 11.4
# token68 = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="           RFC 9110, 11.2
# Only the scheme Basic, whose token68 is base64 with padding                      RFC 7617, 2; RFC 4648, 4
match_basic = re.compile(
    r"basic +((?:[a-z0-9+/]{4})*(?:[a-z0-9+/]{2}==|[a-z0-9+/]{3}=)?)", re.ASCII | re.IGNORECASE
).fullmatch

# serialized-origin = scheme "://" host [ ":" port ]; or "null"                    RFC 6454, 6.1 and 7.1
# Browsers write it in lower case.
match_origin = re.compile(
    r"([a-z][a-z0-9+\-.]*)://((?:\[[0-9a-f:.]+\]|[a-z0-9\-._~]+)(?::[0-9]{1,5})?)|null", re.ASCII
).fullmatch
