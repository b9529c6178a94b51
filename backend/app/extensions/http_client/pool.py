"""Connections to checked addresses, kept for the next request. Every operation takes constant time."""

import asyncio
import os
import ssl
from time import perf_counter

from backend.app.engine.http import Outcome
from backend.app.extensions.http_client.limits import HttpLimits
from backend.app.extensions.http_client.policy import Origin
from backend.app.extensions.http_client.resolver import Guard
from backend.app.extensions.http_client.transport import Connection, TargetFault

KEEP_ALIVE_S = 4.0
"""How long an idle connection is trusted: servers commonly close theirs after five seconds."""


class Pool:
    """At most `max_connections` in use and as many idle, over all origins."""

    def __init__(
        self, guard: Guard, limits: HttpLimits, max_connections: int, *, verify: bool, ca_file: str | None
    ) -> None:
        self._guard = guard
        self._limits = limits
        self._max_connections = max_connections
        self._slots = asyncio.Semaphore(max_connections)
        self._idle: dict[Origin, list[Connection]] = {}
        self._open: set[Connection] = set()
        self._all_lost = asyncio.Event()
        self._all_lost.set()
        self._verify = verify
        self._ca_file = ca_file
        self._tls: ssl.SSLContext | None = None

    async def acquire(self, origin: Origin, deadline: float, *, fresh: bool = False) -> Connection:
        """A connection of the caller's own until `release`. `fresh` forbids a kept one. Raises `RequestRefused`,
        `TargetFault`."""
        if self._slots.locked():
            await self._wait_for_slot(deadline)
        else:
            await self._slots.acquire()
        try:
            idle = self._idle.get(origin)
            while idle and not fresh:
                connection = idle.pop()
                if connection.closed:
                    continue
                if perf_counter() - connection.idle_since < KEEP_ALIVE_S:
                    return connection
                connection.abort()
            return await self._dial(origin, deadline)
        except BaseException:
            self._slots.release()
            raise

    def release(self, origin: Origin, connection: Connection, *, keep: bool) -> None:
        self._slots.release()
        if connection.closed:
            return
        if not keep or not connection.reusable or len(self._open) > self._max_connections:
            connection.abort()
            return
        connection.idle_since = perf_counter()
        idle = self._idle.get(origin)
        if idle is None:
            idle = self._idle[origin] = []
        idle.append(connection)

    async def aclose(self) -> None:
        for connection in list(self._open):
            connection.abort()
        self._idle.clear()
        await self._all_lost.wait()

    async def _wait_for_slot(self, deadline: float) -> None:
        try:
            async with asyncio.timeout(deadline - perf_counter()):
                await self._slots.acquire()
        except TimeoutError:
            raise TargetFault(Outcome.TIMEOUT, "no connection was free before the deadline") from None

    async def _dial(self, origin: Origin, deadline: float) -> Connection:
        try:
            async with asyncio.timeout(deadline - perf_counter()):
                addresses = await self._guard.addresses(origin)
        except TimeoutError:
            raise TargetFault(Outcome.DNS_FAILED, f"looking up {origin.host} took too long") from None
        last_moment = min(deadline, perf_counter() + self._limits.connect_s)
        where = f"{origin.host}:{origin.port}"
        fault = TargetFault(Outcome.CONNECT_FAILED, f"no connection to {where}")
        for position, address in enumerate(addresses):
            share = (last_moment - perf_counter()) / (len(addresses) - position)
            try:
                async with asyncio.timeout(share):
                    return await self._connect(origin, address)
            except TimeoutError:
                fault = TargetFault(Outcome.TIMEOUT, f"{where} did not accept a connection in time")
            except ssl.SSLCertVerificationError as error:
                raise TargetFault(
                    Outcome.TLS_FAILED, f"the certificate of {where} is not accepted: {error.verify_message}"
                ) from None
            except ssl.SSLError as error:
                reason = (error.reason or "unknown reason").lower().replace("_", " ")
                raise TargetFault(Outcome.TLS_FAILED, f"no TLS with {where}: {reason}") from None
            except OSError as error:
                if origin.scheme == "https" and isinstance(error, ConnectionResetError | ConnectionAbortedError):
                    raise TargetFault(Outcome.TLS_FAILED, f"{where} closed during the TLS handshake") from None
                reason = os.strerror(error.errno) if error.errno else "unreachable"
                fault = TargetFault(Outcome.CONNECT_FAILED, f"no connection to {where}: {reason.lower()}")
        raise fault

    async def _connect(self, origin: Origin, address: str) -> Connection:
        loop = asyncio.get_running_loop()
        secure = origin.scheme == "https"
        _, connection = await loop.create_connection(
            lambda: Connection(self._limits, self._lost),
            address,
            origin.port,
            ssl=self._tls_context() if secure else None,
            server_hostname=origin.host if secure else None,
        )
        if not connection.closed:
            self._open.add(connection)
            self._all_lost.clear()
        return connection

    def _lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        if not self._open:
            self._all_lost.set()

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            if self._ca_file is not None:
                self._tls.load_verify_locations(self._ca_file)
            if not self._verify:
                self._tls.check_hostname = False
                self._tls.verify_mode = ssl.CERT_NONE
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls
