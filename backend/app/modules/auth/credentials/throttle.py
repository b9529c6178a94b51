"""How failed sign-ins slow down the next one (ASVS 5, 6.3.1; NIST SP 800-63B-4, 3.2.2).

Counted twice: for an account from one address, which is made to wait longer and longer, and for an account from
anywhere, which costs a short pause at most. So nobody can lock somebody else out.
"""

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Final

from backend.app.core.client_address import site_of

FREE: Final = 5
"""Failures in a row, of one account from one address, that cost nothing."""
LONGEST: Final = timedelta(minutes=15)
FORGOTTEN: Final = timedelta(days=1)
"""After the last failure. Longer than `LONGEST`, so that waiting gives no five free tries again."""
_PAUSE_AFTER: Final = 20
"""Failures of one account from all addresses."""
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 2.0


def keys_of(account: str, address: str, key: bytes) -> tuple[str, str]:
    """Under what an account from an address, and the account alone, are counted: HMAC-SHA256, so that the table tells
    nobody who tried what. An IPv6 address counts as its /64."""
    return _hmac(f"pair\0{account}\0{site_of(address)}", key), _hmac(f"account\0{account}", key)


def open_from(failures: int, last_at: datetime) -> datetime:
    """When the next try of an account from an address is heard: after 1, 2, 4 ... seconds, at most `LONGEST`."""
    if failures < FREE:
        return last_at
    return last_at + min(LONGEST, timedelta(seconds=2 ** min(failures - FREE, 20)))


def pause_s(failures: int) -> float:
    """How long a try waits before it is heard, in seconds, by the failures of the account from all addresses."""
    if failures < _PAUSE_AFTER:
        return 0.0
    return min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(failures - _PAUSE_AFTER, 20))


def _hmac(text: str, key: bytes) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
