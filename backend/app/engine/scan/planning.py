"""What is sent, and in which order: everything is generated before the first request, from the seed alone.

Only ids that the target gives are filled in on the way. The phases of a full scan:

1. valid requests, creators before readers before changes (`Chain.stages`);
2. the smallest valid requests that only read, again, so that a latency does not hang on one sample;
3. requests without credentials, then wrong ones, one of each operation in turn, so that a limit on requests is
   shared out fairly;
4. DELETE in the same order, the deepest paths first, of things that were created for it;
5. clean-up: what the scan created and has not deleted yet;
6. operations such as `logout`, after which nothing else may work.

A quick scan has the first one only, with operations that read.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from backend.app.engine.generate.case import Case
from backend.app.engine.generate.chain import READ_METHODS, Chain, is_leaving
from backend.app.engine.generate.negative import MOST_PER_OPERATION, NegativeCases
from backend.app.engine.generate.positive import PositiveCases
from backend.app.engine.generate.requests import RequestBuilder, UnsupportedBodyError
from backend.app.engine.generate.values import NoValueError
from backend.app.engine.scan.ledger import Ledger
from backend.app.engine.scan.model import ScanPlan, ScanType
from backend.app.engine.spec.model import Operation

SAMPLES = 3
"""Latencies of each readable operation in a full scan, if the limit on requests leaves room: the median of so few
outlives one slow answer, and the first one often pays for a connection or a cold cache."""


@dataclass(slots=True)
class Phases:
    """Cases that belong together are sent at once, one list after the other."""

    valid: list[list[Case]] = field(default_factory=list)
    repeated: list[Case] = field(default_factory=list)
    """Of `valid`, once more for each time that they stand here; of use only where the first one succeeded."""
    destructive: list[list[Case]] = field(default_factory=list)
    """Wrong requests and deletions."""
    leaving: list[list[Case]] = field(default_factory=list)
    """After clean-up."""

    def __len__(self) -> int:
        return len(self.repeated) + sum(map(len, (*self.valid, *self.destructive, *self.leaving)))


class Planner:
    def __init__(
        self,
        plan: ScanPlan,
        builder: RequestBuilder,
        positive: PositiveCases,
        negative: NegativeCases,
        chain: Chain,
        ledger: Ledger,
    ) -> None:
        self.phases = Phases()
        self.left_out = False
        """The limit on requests kept cases out of the plan."""
        self._plan = plan
        self._builder = builder
        self._positive = positive
        self._negative = negative
        self._chain = chain
        self._ledger = ledger
        self._quick = plan.scan_type == ScanType.QUICK
        self._randoms: dict[str, Random] = {}
        self._valid: dict[str, list[Case]] = {}
        self._wrong: list[Case] = []

    def steps(self) -> Iterator[None]:
        """Does the work, and yields between operations so that other things can be done. At the end `phases` is set."""
        usable = [operation for operation in self._plan.description.operations if self._is_usable(operation)]
        for operation in usable:
            yield
            self._plan_valid(operation)
        ready = [operation for operation in usable if operation.key in self._valid]
        staying = [operation for operation in ready if not is_leaving(operation)]
        leaving = [operation for operation in ready if is_leaving(operation)]
        lasting = [operation for operation in staying if operation.method != "DELETE"]
        self.phases.valid = [self._valid_of(stage) for stage in self._chain.stages(lasting)]
        if self._quick:
            return
        deletes = [operation for operation in staying if operation.method == "DELETE"]
        by_depth: dict[int, list[Operation]] = {}
        for operation in sorted(deletes, key=lambda operation: -operation.path.count("/")):
            by_depth.setdefault(operation.path.count("/"), []).append(operation)
        spares = [case for operation in deletes for case in self._spares(operation)]
        room = self._plan.limits.max_requests - self._cost([*self._valid_of(ready), *spares])
        room -= len(self._without_credentials(ready))
        yield from self._plan_wrong(ready, room)
        room -= self._cost(self._wrong)
        readable = [operation for operation in lasting if operation.method in READ_METHODS]
        self.phases.repeated = [self._valid[operation.key][0] for operation in readable * (SAMPLES - 1)][: max(room, 0)]
        self.phases.destructive = [
            self._wrong_of(lasting),
            spares,
            *(self._valid_of(operations) for operations in by_depth.values()),
            self._wrong_of(deletes),
        ]
        self.phases.leaving = [self._valid_of(leaving), self._wrong_of(leaving)]

    def _is_usable(self, operation: Operation) -> bool:
        if self._quick and operation.method not in READ_METHODS:
            reason = "a quick scan only reads"
        elif self._builder.is_elsewhere(operation):
            reason = f"it is served by {operation.server}, which is not the target"
        else:
            reason = self._chain.why_spared(operation)
        self._ledger.skip(operation, reason)
        return not reason

    def _plan_valid(self, operation: Operation) -> None:
        # One generator for each operation: its values do not depend on what else is in the description.
        random = self._randoms[operation.key] = Random(f"{self._plan.seed} {operation.key}")
        try:
            baseline = self._positive.minimal(operation, random)
        except (NoValueError, UnsupportedBodyError) as error:
            self._ledger.skip(operation, f"no valid request could be made: {error}")
            return
        others = [] if self._quick else self._positive.others(operation, random, baseline)
        self._valid[operation.key] = [baseline, *others]

    def _plan_wrong(self, operations: Sequence[Operation], room: int) -> Iterator[None]:
        self.left_out = len(operations) > max(room, 0)
        if room <= 0 or not operations:
            return
        share = min(MOST_PER_OPERATION, 1 + 4 * room // len(operations))
        lists: list[list[Case]] = []
        for operation in operations[:room]:
            yield
            cases = self._negative.cases(operation, self._valid[operation.key][0], self._randoms[operation.key])
            self.left_out |= len(cases) > share
            lists.append(cases[:share])
        in_turn = [cases[turn] for turn in range(share) for cases in lists if turn < len(cases)]
        self.left_out |= len(in_turn) > room
        self._wrong = in_turn[:room]

    def _spares(self, operation: Operation) -> Iterator[Case]:
        """Something for each request that deletes successfully: with credentials, and perhaps without."""
        creator = self._chain.creator_of(operation)
        if creator is None or creator.key not in self._valid:
            return
        for _ in range(len(self._valid[operation.key]) + self._is_protected(operation)):
            with suppress(NoValueError):
                yield self._positive.spare(creator, self._randoms[creator.key])

    def _is_protected(self, operation: Operation) -> bool:
        return operation.requires_auth and self._plan.has_credentials

    def _valid_of(self, operations: Iterable[Operation]) -> list[Case]:
        return [case for operation in operations for case in self._valid[operation.key]]

    def _without_credentials(self, operations: Iterable[Operation]) -> list[Case]:
        return [
            self._negative.no_credentials(self._valid[operation.key][0])
            for operation in operations
            if self._is_protected(operation)
        ]

    def _wrong_of(self, operations: Sequence[Operation]) -> list[Case]:
        keys = {operation.key for operation in operations}
        return self._without_credentials(operations) + [case for case in self._wrong if case.operation.key in keys]

    def _cost(self, cases: Iterable[Case]) -> int:
        """Requests, with those that delete again what they create."""
        return sum(1 + self._chain.may_create(case.operation) for case in cases)
