"""The chain of refresh tokens."""

from backend.app.modules.auth.credentials.refresh_tokens import hash_refresh_token, new_refresh_token, successor


def test_a_token_has_one_successor_that_needs_our_key() -> None:
    token = new_refresh_token()
    assert token != new_refresh_token()
    assert successor(token, b"ours") == successor(token, b"ours")
    assert len({token, successor(token, b"ours"), successor(token, b"theirs"), hash_refresh_token(token)}) == 4
