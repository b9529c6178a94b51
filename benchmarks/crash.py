"""2,000 orders of three jobs each, 40 random `kill -9` of workers and publisher, 5 `SIGSTOP` past the lease, a Redis
`FLUSHALL` and a Redis outage, on each engine. Prints what was lost or done twice.

    python -m benchmarks.crash [--orders 2000] [--kills 40] [--stops 5] [--seed N]
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.support import databases
from tests.support.crashes import Storm
from tests.support.servers import RedisServer


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--stops", type=int, default=5)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    good = True
    with tempfile.TemporaryDirectory() as folder:
        urls = {"SQLite": databases.sqlite_database(Path(folder)), "PostgreSQL": databases.postgres_database()}
        for engine, url in urls.items():
            redis = RedisServer()
            storm = Storm(url, redis, orders=options.orders, workers=options.workers, seed=options.seed)
            outcome = storm.run(kills=options.kills, stops=options.stops)
            redis.stop()
            print(
                f"{engine}: {outcome.orders} orders, {outcome.kills} kills, {outcome.stops} stops: "
                f"{outcome.lost} lost, {outcome.doubled} doubled, {outcome.dead} dead, "
                f"{outcome.failures} processes failed, {outcome.seconds:.0f} s",
                *outcome.notes,
            )
            good &= not (outcome.lost or outcome.doubled or outcome.failures or outcome.notes)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
