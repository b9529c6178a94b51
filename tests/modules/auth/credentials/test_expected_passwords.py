"""Passwords that are refused because everybody tries them first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.modules.auth.credentials.expected_passwords import is_expected

ABOUT = ("ada.king@example.com", "Ada", "Lovelace")


@pytest.mark.parametrize(
    "password",
    [
        "1qaz2wsx3edc4rfv",
        "123456789qwerty",
        "PolniyPizdec0211",
        "passwordpassword",
        "Password12345678",
        "aaaaaaaaaaaaaaa",
        "abc abc abc abc abc",
        "abcdefghijklmnopqrstuvwxyz",
        "0987654321098765",
        "qwertyuiopasdfghjkl",
        "ada.king@example.com",
        "AdaLovelace-1815",
        "lovelace lovelace",
        "touchstone-touchstone",
        "TOUCHSTONE1234567",
        "\uff54\uff4f\uff55\uff43\uff48\uff53\uff54\uff4f\uff4e\uff45-123456",
    ],
)
def test_an_expected_password_is_refused(password: str) -> None:
    assert is_expected(password, ABOUT)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "Xk9!vR2#mQ7&pL4z",
        " pa\u00df w\u00f6rter sind gut ",
        "canada has many lakes",
        "a touchstone of mine: 7 hills",
        "\u65e5\u672c\u8a9e\u306e\u9577\u3044\u30d1\u30b9\u30d5\u30ec\u30fc\u30ba\u3067\u3059\u3088\u306d",
    ],
)
def test_a_good_password_is_taken(password: str) -> None:
    assert not is_expected(password, ABOUT)


def test_what_is_expected_of_one_user_is_not_of_another() -> None:
    assert is_expected("lovelace-1815-8", ABOUT)
    assert not is_expected("lovelace-1815-8", ("grace@example.com", "Grace", "Hopper"))


@given(st.text(min_size=1, max_size=14), st.integers(2, 80))
def test_one_short_unit_again_and_again_is_no_password(unit: str, times: int) -> None:
    assert is_expected(unit * times)


@given(st.text(max_size=1024), st.text(max_size=320))
def test_every_text_is_judged(password: str, known: str) -> None:
    assert is_expected(password, (known,)) in (True, False)
