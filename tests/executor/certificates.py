"""Certificates for fake servers that speak TLS: made by Erlang, as those of the reference are."""

from __future__ import annotations

import atexit
import shutil
import ssl
import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from fuzz.erlang import clean_environment
from fuzz.settings import TlsSettings
from fuzz.tls import ClientTls, client_tls

#: Writes ca.pem, and server.pem with the key behind its certificate, into the current folder.
_MAKE = """
    Key = [{key, {namedCurve, secp256r1}}, {digest, sha256}],
    Peer = #{root => Key, intermediates => [],
             peer => Key ++ [{extensions, [{'Extension', {2, 5, 29, 17}, false,
                                     [{iPAddress, <<127, 0, 0, 1>>}]}]}]},
    #{server_config := S, client_config := C} =
        public_key:pkix_test_data(#{server_chain => Peer, client_chain => Peer}),
    Pem = fun(File, Entries) ->
        ok = file:write_file(File, public_key:pem_encode(
            [{Type, Der, not_encrypted} || {Type, Der} <- Entries]))
    end,
    Pem("ca.pem", [{'Certificate', Der} || Der <- proplists:get_value(cacerts, C)]),
    Pem("server.pem", [{'Certificate', proplists:get_value(cert, S)},
                       proplists:get_value(key, S)]),
    halt().
"""


@cache
def certificates() -> Path:
    """Return a folder with ``ca.pem`` and ``server.pem``; it goes with this process."""
    folder = Path(mkdtemp(prefix="iris-fuzz-test-certificates-"))
    atexit.register(shutil.rmtree, folder)
    subprocess.run(
        ["erl", "-noshell", "-eval", " ".join(_MAKE.split())],
        cwd=folder,
        env=clean_environment(),
        timeout=30,
        check=True,
    )
    return folder


def server_context(version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """Return how a fake server speaks TLS, only in ``version`` if that is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates() / "server.pem")
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def trusting(settings: TlsSettings | None = None) -> ClientTls:
    """Return how clients speak to such a server: as ``settings`` say, or trusting its CA."""
    return client_tls(settings or TlsSettings(ca=certificates() / "ca.pem"), "127.0.0.1")
