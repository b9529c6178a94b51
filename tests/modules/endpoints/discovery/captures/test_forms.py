import pytest

from backend.app.modules.endpoints.discovery.captures.forms import Kind, is_opaque, kind_of


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("42", Kind.INTEGER),
        ("-7", Kind.INTEGER),
        ("3.14", Kind.NUMBER),
        ("123e4567-e89b-12d3-a456-426614174000", Kind.UUID),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", Kind.HASH),
        ("507f1f77bcf86cd799439011", Kind.HASH),
        ("33a64df551425fcc55e4d42a148795d9f25f89d4", Kind.HASH),
        ("da39a3e", Kind.HASH),
        ("SGVsbG8gd29ybGQhIQ", Kind.HASH),
        ("V1StGXR8_Z5jdHi6B-myT", Kind.HASH),
        ("dQw4w9WgXcQ", Kind.HASH),
        ("2024-02-29", Kind.DATE),
        ("2024-02-29T10:00:00Z", Kind.DATE),
        ("ann@example.com", Kind.EMAIL),
        ("192.168.0.1", Kind.ADDRESS),
        ("report.pdf", Kind.FILE),
        ("TC-00042", Kind.REFERENCE),
        ("cus_9s6XKzkNRiz8i3", Kind.REFERENCE),
        ("hello world", Kind.TEXT),
        ("1,2,3", Kind.TEXT),
        ("x" * 80, Kind.HASH),
    ],
)
def test_values_are_known_by_their_form(text: str, kind: Kind) -> None:
    assert kind_of(text) is kind


@pytest.mark.parametrize(
    "text",
    [
        "users", "v1", "me", "search", "findByStatus", "oauth2", "oauth2Callback", "top-rated", "reset_password",
        "deadbeef", "facade", "uploadImage", "getUserById", "OAuthAuthorizationServer", "electricityConsumption",
        "__heartbeat__", "internationalization", "sign-in", "utf8", "openid-configuration", "createWithArray",
        "base64", "~ann", "",
    ],
)  # fmt: skip
def test_names_are_no_values(text: str) -> None:
    assert kind_of(text) is None


def test_what_looks_drawn_by_lot_is_opaque_and_words_are_not() -> None:
    assert is_opaque("q8Zk2LmX9vB4tR7w")
    assert is_opaque("ZXhhbXBsZTpzZWNyZXQtdmFsdWU")
    assert not is_opaque("a-long-name-in-words-with-hyphens")
    assert not is_opaque("ReadCommittedSnapshotIsolation")
