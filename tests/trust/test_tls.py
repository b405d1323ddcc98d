"""Connections are encrypted, and peers prove who they are, with certificates of one's own CA."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest

from gateway import create_app
from shared.chassis.api.binder import ApiServer
from shared.chassis.api.identity import DevelopmentIdentity, issue_token
from shared.chassis.api.log import pull
from shared.chassis.api.rights import SERVICE as SERVICE_ROLE
from shared.chassis.api.tls import channel_credentials, server_credentials
from shared.chassis.service import OpenService, open_service
from shared.chassis.settings import Settings
from tests.api.conftest import SECRET, proto
from tests.api.toy import SERVICE
from tests.gateway.conftest import serving
from tests.trust.authority import Authority

__all__ = ["proto"]

TOKEN = issue_token(SECRET, "service:leads", roles=[SERVICE_ROLE])


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ours")


@pytest.fixture
def stranger(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "theirs")


@pytest.fixture
def opened() -> Iterator[OpenService]:
    opened = open_service(SERVICE)
    yield opened
    opened.close()


class Place:
    """A toy service behind TLS."""

    def __init__(self, opened: OpenService, proto: Path, settings: Settings) -> None:
        self.server = ApiServer(
            [opened],
            identity=DevelopmentIdentity(SECRET, anonymous=None),
            proto=proto,
            credentials=server_credentials(settings),
        )
        self.server.start()

    def admits(self, credentials: grpc.ChannelCredentials | None) -> bool:
        """Whether a log can be read with these credentials."""
        address = self.server.address
        with (
            grpc.insecure_channel(address)
            if credentials is None
            else grpc.secure_channel(address, credentials)
        ) as channel:
            try:
                list(pull(channel, "toy", 0, token=TOKEN, timeout=20))
            except grpc.RpcError as error:
                unavailable: bool = error.code() is grpc.StatusCode.UNAVAILABLE
                assert unavailable
                return False
        return True


@pytest.fixture
def place(opened: OpenService, proto: Path, authority: Authority) -> Iterator[Place]:
    place = Place(opened, proto, authority.settings())
    yield place
    place.server.stop(grace=0)


def test_services_that_show_each_other_their_certificates_speak(
    place: Place, authority: Authority
) -> None:
    assert place.admits(channel_credentials(authority.settings()))


def test_a_caller_without_a_certificate_of_the_authority_is_not_let_in(
    place: Place, authority: Authority, stranger: Authority
) -> None:
    forged = stranger.issue("forged")
    roots = authority.file.read_bytes()
    assert not place.admits(None)
    assert not place.admits(grpc.ssl_channel_credentials(roots))
    assert not place.admits(
        grpc.ssl_channel_credentials(
            roots, forged.key.read_bytes(), forged.certificate.read_bytes()
        )
    )


def test_a_server_of_another_authority_is_not_trusted(place: Place, stranger: Authority) -> None:
    assert not place.admits(channel_credentials(stranger.settings()))


def test_without_an_authority_only_the_server_shows_a_certificate(
    opened: OpenService, proto: Path, authority: Authority
) -> None:
    place = Place(opened, proto, authority.settings(mutual=False))
    assert place.admits(grpc.ssl_channel_credentials(authority.file.read_bytes()))
    assert not place.admits(None)
    place.server.stop(grace=0)


def test_a_renewed_certificate_is_shown_without_a_stop(
    place: Place, authority: Authority, stranger: Authority
) -> None:
    trusting_both = authority.file.read_bytes() + stranger.file.read_bytes()
    own = authority.issue("caller")
    caller = grpc.ssl_channel_credentials(
        trusting_both, own.key.read_bytes(), own.certificate.read_bytes()
    )
    only_stranger = grpc.ssl_channel_credentials(
        stranger.file.read_bytes(), own.key.read_bytes(), own.certificate.read_bytes()
    )
    assert place.admits(caller)
    assert not place.admits(only_stranger)
    renewed, shown = stranger.issue("server"), authority.file.parent / "server.pem"
    shown.with_suffix(".key").write_bytes(renewed.key.read_bytes())
    shown.write_bytes(renewed.certificate.read_bytes())
    assert place.admits(only_stranger)


def test_plain_settings_give_plain_connections() -> None:
    assert server_credentials(Settings()) is None
    assert channel_credentials(Settings()) is None


def test_the_gateway_speaks_to_services_by_its_certificate(
    place: Place, authority: Authority, proto: Path
) -> None:
    credentials = channel_credentials(authority.settings())
    app = create_app({"toy": place.server.address}, proto=proto, credentials=credentials)
    token = issue_token(SECRET, "boss", roles=["administrator"])
    with serving(app) as address, httpx.Client(base_url=address) as client:
        assert client.get("/readyz").status_code == 200
        answer = client.get("/v1/books", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200


def test_the_gateway_is_reached_by_https(
    place: Place, authority: Authority, stranger: Authority, proto: Path
) -> None:
    settings = authority.settings()
    app = create_app(
        {"toy": place.server.address}, proto=proto, credentials=channel_credentials(settings)
    )
    with serving(
        app, ssl_certfile=str(settings.tls_certificate), ssl_keyfile=str(settings.tls_key)
    ) as address:
        https = address.replace("http:", "https:")
        with httpx.Client(verify=ssl.create_default_context(cafile=authority.file)) as client:
            assert client.get(f"{https}/healthz").status_code == 200
        with (
            httpx.Client(verify=ssl.create_default_context(cafile=stranger.file)) as client,
            pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
        ):
            client.get(f"{https}/healthz")
