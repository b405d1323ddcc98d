"""TLS of the gRPC servers and of those who call them, by certificates in files.

A server reads its files again when they change, so that certificates are renewed without a stop.
"""

from pathlib import Path

import grpc

from shared.chassis.settings import Settings

__all__ = ["channel_credentials", "server_credentials"]


def server_credentials(settings: Settings) -> grpc.ServerCredentials | None:
    """Return what a gRPC server shows and asks for; None when the settings name no certificate.

    With an authority it takes only callers that show a certificate of that authority.
    """
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None or key is None:
        return None
    authority = settings.tls_authority
    files = [file for file in (certificate, key, authority) if file is not None]
    seen = _changes(files)

    def configuration() -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration(
            [(key.read_bytes(), certificate.read_bytes())],
            authority.read_bytes() if authority else None,
        )

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal seen
        try:
            now = _changes(files)
            if now == seen:
                return None
            fresh = configuration()
        except OSError:  # in the middle of being replaced
            return None
        seen = now
        return fresh

    return grpc.dynamic_ssl_server_credentials(
        configuration(), renewed, require_client_authentication=authority is not None
    )


def channel_credentials(settings: Settings) -> grpc.ChannelCredentials | None:
    """Return what a caller of other services shows and trusts; None when it speaks without TLS.

    It trusts the authority of the settings, and shows its own certificate when it has one.
    """
    if settings.tls_authority is None:
        return None
    shown = settings.tls_certificate is not None and settings.tls_key is not None
    return grpc.ssl_channel_credentials(
        settings.tls_authority.read_bytes(),
        settings.tls_key.read_bytes() if shown and settings.tls_key else None,
        settings.tls_certificate.read_bytes() if shown and settings.tls_certificate else None,
    )


def _changes(files: list[Path]) -> list[int]:
    return [file.stat().st_mtime_ns for file in files]
