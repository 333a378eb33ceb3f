"""TLS as a client speaks it: from settings to a context of :mod:`ssl`, and failures in words."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from fuzz.errors import SettingsError
from fuzz.settings import TlsSettings

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

#: What OpenSSL calls the bytes of a server that does not speak TLS.
_NO_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_MESSAGE", "RECORD_LAYER_FAILURE"}
)
_OTHER_VERSION = ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE")
#: The alerts of a server that wants another certificate than it gets; TLS 1.2 has no name for none.
_WANTS_CERTIFICATE = ("CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE", "BAD_CERTIFICATE", "UNKNOWN_CA")


@dataclass(frozen=True, slots=True)
class ClientTls:
    """How clients speak TLS to a server, which must prove to be ``server_name``."""

    context: ssl.SSLContext
    server_name: str


def client_tls(settings: TlsSettings, host: str) -> ClientTls:
    """Return how clients speak TLS to ``host``; raise :class:`SettingsError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if settings.version is not None:
        context.minimum_version = context.maximum_version = _VERSIONS[settings.version]
    try:
        if settings.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif settings.ca is not None:
            context.load_verify_locations(settings.ca)
        else:
            context.load_default_certs()
    except OSError as error:
        raise SettingsError(f"--tls-ca {settings.ca}: {_unusable(error)}") from None
    if settings.certificate is not None:
        try:
            # A key that wants a password is none that can be used here: nobody is there to ask.
            context.load_cert_chain(settings.certificate, settings.key, password="")
        except OSError as error:
            words = f"--tls-cert {settings.certificate}"
            words += f" --tls-key {settings.key}" if settings.key is not None else ""
            raise SettingsError(f"{words}: {_unusable(error)}") from None
    made = ClientTls(context, settings.server_name or host)
    try:
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=made.server_name)
    except (ValueError, TypeError):  # what cannot be written as a host name, or holds a NUL
        raise SettingsError(f"--tls-server-name {made.server_name!r} is no host name") from None
    return made


def why_refused(error: OSError) -> str:
    """Return why a connection over TLS came to nothing, as a clause whose subject is the server."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"it shows a certificate that is not trusted ({error.verify_message}); "
            "name its CA with --tls-ca FILE, or have any certificate taken with --tls-insecure"
        )
    reason = getattr(error, "reason", None) or ""
    if reason in _NO_TLS:
        return "it does not speak TLS there"
    if isinstance(error, ssl.SSLEOFError) or not isinstance(error, ssl.SSLError):
        return "it ends the connection within the handshake of TLS; does it speak TLS there?"
    if reason.endswith(_OTHER_VERSION):
        return "it does not speak the version of TLS that is asked for; see --tls-version"
    if reason.endswith(_WANTS_CERTIFICATE):
        return "it does not take the client's certificate, or lack of one; see --tls-cert"
    return f"the handshake of TLS fails ({reason.replace('_', ' ').lower() or error})"


def _unusable(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return "it holds no certificate, or no key that fits, in PEM form"
    return f"it cannot be read: {error.strerror}"
