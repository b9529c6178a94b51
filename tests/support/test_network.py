import socket

import pytest

from tests.support.network import NetworkClosed


@pytest.mark.parametrize(
    ("family", "address"),
    [
        (socket.AF_INET, ("192.0.2.1", 80)),
        (socket.AF_INET, ("0.0.0.0", 80)),  # noqa: S104
        (socket.AF_INET6, ("2001:db8::1", 80)),
        (socket.AF_INET6, ("::ffff:192.0.2.1", 80)),
    ],
)
def test_connections_beyond_this_machine_are_refused(family: int, address: tuple[str, int]) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as connection, pytest.raises(NetworkClosed):
        connection.connect(address)
    with socket.socket(family, socket.SOCK_DGRAM) as datagrams, pytest.raises(NetworkClosed):
        datagrams.sendto(b"x", address)


def test_names_are_not_looked_up() -> None:
    with pytest.raises(socket.gaierror, match="must not look up"):
        socket.getaddrinfo("api.example.com", 443)


def test_this_machine_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        socket.create_connection(("localhost", listener.getsockname()[1])).close()
