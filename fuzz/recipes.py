"""Recipes for JSON web tokens (RFC 7519): good ones, and one for each way to forge one.

A case cannot hold a good token: the secret is the target's, the name that it is good for is
fresh on each play, and it expires. So a case writes ``<jwt:KIND:NAME>``, mostly with a user
token for the name: ``<user:A>:<jwt:none:<user:A>>`` is the text of a LOGIN with a token that
nobody has signed. It is bound while playing, when the name is known; :data:`RECIPES` lists the
kinds. With a good token for another name, a user comes with somebody else's.

A forged token has one thing wrong: else a server could refuse it for the other thing, and its
defect would not show. This module uses nothing but the standard library, and is part of each
reproducer (:mod:`fuzz.report.reproducer`).
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

#: Signs for a target whose secret is not known, and what is signed with another secret.
OTHER_SECRET = b"a secret that no server has, long enough for HS512 and all its 64 bytes"
#: The ``jti`` of the tokens that a target is told to refuse, where it can be told.
REVOKED_JTI = "stolen"

_START = b"<jwt:"
#: A name in a token is one that was put in the place of a user token, or as plain as those.
_ASKED = re.compile(_START + rb"([0-9a-z]+):([0-9A-Za-z]{1,64})>")
#: A time in claims, in seconds from now.
_TIME = re.compile(r"NOW([+-]\d+)")
#: The kind of those who are to be let in whatever is asked. One that was issued just now has a time
#: that is still to come by a clock that is behind: a server that is wrong about that is to be
#: found by who asks for it, and must not shut out everybody.
SURE = b"goodolder"
#: What stands for FILL: with it a token has 1 MiB, sixteen times what a server buffers for one
#: connection (IRIS_WIRE, limits).
_FILL_BYTES = 3 * 2**18


class Worth(Enum):
    """What a correct server does with a token."""

    GOOD = "good"  # it lets in the user that the token is for
    FORGED = "forged"  # it refuses it (rule 5)
    OPEN = "open"  # either: what says so differs, or it depends on the clock


class Key(Enum):
    """What a token is signed with."""

    NODE = "node"  # the secret of the target
    OTHER = "other"
    EMPTY = "empty"


def _part(data: bytes, padded: bool = False) -> str:
    encoded = base64.urlsafe_b64encode(data).decode()
    return encoded if padded else encoded.rstrip("=")


_HEADER = '"alg":"HS256","typ":"JWT"'
#: A case is played in well under a minute: a token that lives for an hour is good throughout.
_CLAIMS = '"sub":"NAME","exp":NOW+3600,"iat":NOW+0'


@dataclass(frozen=True, slots=True)
class Recipe:
    """What goes into a token; the defaults make a good one.

    ``claims`` and ``header`` are members of JSON objects: NAME stands for the user, ``NOW+60``
    for a time in seconds since 1970, a minute from now, FILL for very many letters. ``signed``
    are the claims that the signature is for, if they are others; ``digest`` is its hash
    function. ``form`` puts the token together. ``padded`` leaves the ``=`` of base64 in.
    """

    worth: Worth = Worth.FORGED
    claims: str = _CLAIMS
    header: str = _HEADER
    key: Key = Key.NODE
    digest: str = "sha256"
    signed: str = ""
    form: str = "{text}.{signature}"
    padded: bool = False


def _good(claims: str = _CLAIMS, header: str = _HEADER) -> Recipe:
    return Recipe(Worth.GOOD, claims, header)


def _open(claims: str = _CLAIMS, header: str = _HEADER) -> Recipe:
    return Recipe(Worth.OPEN, claims, header)


def _headed(members: str, key: Key = Key.NODE, digest: str = "sha256") -> Recipe:
    """Return a forged token with these members in its header."""
    return Recipe(header=members, key=key, digest=digest)


def _claiming(members: str) -> Recipe:
    """Return a forged token with these claims, and nothing else that is odd about it."""
    return Recipe(claims=members)


def _unsigned(alg: str) -> Recipe:
    return Recipe(header=f'"alg":"{alg}","typ":"JWT"', form="{text}.")


#: The kinds of token, by their name in a case.
RECIPES: Mapping[bytes, Recipe] = MappingProxyType(
    {
        # Good ones. All that is not known to a server is ignored (RFC 7519, section 4; RFC
        # 7515, section 4), and no node was told which issuer or key id would be wrong.
        b"good": _good(),
        SURE: _good('"sub":"NAME","exp":NOW+3600,"iat":NOW-60'),
        b"goodjti": _good('"iss":"iris","sub":"NAME","exp":NOW+3600,"iat":NOW+0,"jti":"one"'),
        b"goodorder": _good('"iat":NOW+0,"exp":NOW+3600,"sub":"NAME"', '"typ":"JWT","alg":"HS256"'),
        b"goodspaces": _good('\n\t"sub" : "NAME" ,\r\n "exp" : NOW+3600 ', ' "alg" : "HS256" '),
        b"goodkid": _good(header='"alg":"HS256","typ":"JWT","kid":"1"'),
        b"goodnbf": _good('"sub":"NAME","exp":NOW+3600,"nbf":NOW-60'),
        b"goodmore": _good('"sub":"NAME","exp":NOW+3600,"admin":true,"name":"Ann"'),
        b"goodescape": _good('"\\u0073ub":"NAME","exp":NOW+3600'),
        # A NumericDate need not be whole (RFC 7519, section 2), and PyJWT takes one that is not.
        b"expfraction": _good('"sub":"NAME","exp":NOW+3600.5'),
        b"goodlong": _good('"sub":"NAME","exp":NOW+315360000'),
        # Not signed, though the header says so (RFC 8725, section 2.1).
        b"none": _unsigned("none"),
        b"nonecase": _unsigned("None"),
        b"noneupper": _unsigned("NONE"),
        b"nonemixed": _unsigned("nOnE"),
        b"nonesigned": _headed('"alg":"none","typ":"JWT"'),
        # Another algorithm than HS256, which a token must not choose (RFC 8725, section 3.1).
        b"hs512": _headed('"alg":"HS512","typ":"JWT"', digest="sha512"),
        b"hs384": _headed('"alg":"HS384","typ":"JWT"', digest="sha384"),
        b"rs256": _headed('"alg":"RS256","typ":"JWT"'),
        b"alglower": _headed('"alg":"hs256","typ":"JWT"'),
        b"algmissing": _headed('"typ":"JWT"'),
        b"alglist": _headed('"alg":["HS256"],"typ":"JWT"'),
        b"algtwice": Recipe(header='"alg":"HS256","alg":"none"', form="{text}."),
        # Another signature: none, part of one, that of another key, or of other claims.
        b"stripped": Recipe(form="{text}."),
        b"bare": Recipe(form="{text}"),
        b"cut": Recipe(form="{text}.{signature:.16}"),
        b"fourparts": Recipe(form="{text}.{signature}.{signature}"),
        b"padded": Recipe(padded=True),
        b"swapped": Recipe(signed='"sub":"NAMEx","exp":NOW+3600,"iat":NOW+0'),
        b"secret": Recipe(key=Key.OTHER),
        b"emptykey": Recipe(key=Key.EMPTY),
        # The key that the header names (RFC 8725, section 3.10): a file that is empty, a query
        # that gives what the client likes, or the key itself.
        b"kidpath": _headed('"alg":"HS256","kid":"../../../../../../dev/null"', Key.EMPTY),
        b"kidsql": _headed('"alg":"HS256","kid":"x\' UNION SELECT \'"', Key.EMPTY),
        b"jwk": _headed(
            '"alg":"HS256","jwk":{"kty":"oct","k":"' + _part(OTHER_SECRET) + '"}', Key.OTHER
        ),
        # Whose it is.
        b"subject": _claiming('"sub":"NAMEx","exp":NOW+3600,"iat":NOW+0'),
        b"nosubject": _claiming('"exp":NOW+3600,"iat":NOW+0'),
        b"subempty": _claiming('"sub":"","exp":NOW+3600,"iat":NOW+0'),
        b"sublist": _claiming('"sub":["NAME"],"exp":NOW+3600,"iat":NOW+0'),
        # A name that stands twice counts as its last, if at all (RFC 7519, section 4).
        b"subtwice": _claiming('"sub":"NAME","sub":"NAMEx","exp":NOW+3600'),
        # Until when it is good. One that has expired was issued longer ago.
        b"expired": _claiming('"sub":"NAME","exp":NOW-3600,"iat":NOW-7200'),
        b"expfloat": _claiming('"sub":"NAME","exp":NOW-3600.5,"iat":NOW-7200'),
        b"expnegative": _claiming('"sub":"NAME","exp":-1'),
        b"exptwice": _claiming('"sub":"NAME","exp":NOW+3600,"exp":NOW-3600'),
        b"endless": _claiming('"sub":"NAME"'),
        b"exptext": _claiming('"sub":"NAME","exp":"NOW+3600"'),
        b"expword": _claiming('"sub":"NAME","exp":"never"'),
        b"expnull": _claiming('"sub":"NAME","exp":null'),
        b"exptrue": _claiming('"sub":"NAME","exp":true'),
        # From when on it is good, and that it was taken back.
        b"early": _claiming('"sub":"NAME","exp":NOW+7200,"nbf":NOW+3600'),
        b"revoked": _claiming('"sub":"NAME","exp":NOW+3600,"jti":"' + REVOKED_JTI + '"'),
        # A token of 1 MiB: whatever a server makes of its size, it was signed by nobody.
        b"huge": Recipe(claims='"sub":"NAME","exp":NOW+3600,"x":"FILL"', key=Key.OTHER),
        # Good by the letter of RFC 7519, and a server may be stricter: a reader of JSON may set
        # limits to the size of numbers (RFC 8259, section 6), and calendars end before 1e300; 1e999
        # is beyond what a double holds, and PyJWT refuses it.
        b"exphuge": _open('"sub":"NAME","exp":1e300'),
        b"expoverflow": _open('"sub":"NAME","exp":1e999'),
        b"explast": _open('"sub":"NAME","exp":NOW-3600,"exp":NOW+3600'),
        b"nbftext": _open('"sub":"NAME","exp":NOW+3600,"nbf":"NOW+3600"'),
        b"issuedlater": _open('"sub":"NAME","exp":NOW+7200,"iat":NOW+3600'),
        b"crit": _open(header='"alg":"HS256","crit":["b64"],"b64":true'),
        # Within five seconds of a limit: the clocks of a server's nodes may differ by that.
        b"brief": _open('"sub":"NAME","exp":NOW+3'),
        b"past": _open('"sub":"NAME","exp":NOW-2'),
        b"soon": _open('"sub":"NAME","exp":NOW+3600,"nbf":NOW+2'),
    }
)


def token(kind: bytes, user: bytes, secret: bytes | None, now: float) -> bytes:
    """Return a token of a kind in :data:`RECIPES` for ``user``, which must be ASCII.

    ``secret`` is the target's, None where it is not known: then all tokens are forged. ``now``
    is the time in seconds since 1970.
    """
    recipe = RECIPES[kind]
    header, shown, signed = (
        _part(_filled(text, user, now), recipe.padded)
        for text in (recipe.header, recipe.claims, recipe.signed or recipe.claims)
    )
    known = OTHER_SECRET if secret is None else secret
    key = {Key.NODE: known, Key.OTHER: OTHER_SECRET, Key.EMPTY: b""}[recipe.key]
    mac = hmac.digest(key, f"{header}.{signed}".encode(), recipe.digest)
    made = recipe.form.format(text=f"{header}.{shown}", signature=_part(mac, recipe.padded))
    return made.encode()


def with_tokens(data: bytes, secret: bytes | None, now: float, made: dict[bytes, bytes]) -> bytes:
    """Put tokens in the place of those that ``data`` asks for; an unknown kind stays.

    ``made`` are those of this play, by what asked for them, and is added to: what is asked for
    twice is the same token, so that a case can show one again.
    """

    def bound(found: re.Match[bytes]) -> bytes:
        kind, user = found.groups()
        if kind not in RECIPES:
            return found.group()
        if found.group() not in made:
            made[found.group()] = token(kind, user, secret, now)
        return made[found.group()]

    return _ASKED.sub(bound, data) if _START in data else data


def _filled(text: str, user: bytes, now: float) -> bytes:
    """Put the time, the filling and last the user, whose name may be anything, in place."""
    timed = _TIME.sub(lambda found: str(int(now) + int(found[1])), "{" + text + "}")
    if "FILL" in timed:  # a megabyte is not made in vain
        timed = timed.replace("FILL", "x" * _FILL_BYTES)
    return timed.replace("NAME", user.decode("ascii")).encode()
