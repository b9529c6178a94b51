"""For how long a proof is believed."""

from backend.app.core.permissions import Principal
from backend.app.modules.auth.credentials.proven import ProvenCredentials

ALICE = Principal("alice", "hers", frozenset())


def test_a_proof_is_believed_for_less_than_a_second() -> None:
    now = 100.0
    known = ProvenCredentials(clock=lambda: now)
    known.put(b"alice", ALICE)
    now = 100.799
    assert known.get(b"alice") is ALICE
    assert known.get(b"bob") is None
    now = 100.801
    assert known.get(b"alice") is None


def test_what_is_revoked_here_is_forgotten_at_once() -> None:
    known = ProvenCredentials()
    known.put(b"alice", ALICE)
    known.forget()
    assert known.get(b"alice") is None


def test_the_oldest_make_room() -> None:
    known = ProvenCredentials(size=2, clock=lambda: 0.0)
    for digest in (b"1", b"2", b"1", b"3"):
        known.put(digest, ALICE)
    assert [known.get(digest) for digest in (b"1", b"2", b"3")] == [ALICE, None, ALICE]
