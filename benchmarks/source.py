"""Reading routes out of source code: CPU for a thousand files, again with a cache, and memory.

    python -m benchmarks.source

A generated repository of the usual shape: a FastAPI backend, of whose files one in eight declares routes, an Express
service and a front end in TypeScript. Each scan is a process of its own with its workers; CPU is user and system time
of all of them from start to end, imports too. Memory is the peak of the process plus that of its largest worker for
each worker.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from backend.app.modules.endpoints.discovery.source.tree import scan_tree
from benchmarks.support.table import Row, print_table

FILES = 10_000
ROUTES_A_FILE = 8
CPU_S = 1.0
AGAIN_S = 0.1
MEMORY_MB = 300
WORKERS = 2

_MODEL = "class Thing@@(Base):\n    __tablename__ = 'things_@@'\n" + "".join(
    f"    column_{n} = Column(String(100), nullable=False, index={n % 2 == 0})\n" for n in range(40)
)
_SERVICE = "from app.models import thing_@@\n\n" + "".join(
    f"async def step_{n}(session, value: int) -> dict[str, int]:\n"
    "    rows = await session.execute(select(Thing).where(Thing.id == value).limit(10))\n"
    "    return {str(row.id): row.total for row in rows if row.total > value}\n\n"
    for n in range(25)
)
_ROUTER = "from fastapi import APIRouter, Depends\nrouter = APIRouter(prefix='/things-@@', tags=['t'])\n\n" + "".join(
    f"@router.{method}('/{n}/{{item}}', status_code=200)\n"
    f"async def {method}_{n}(item: int, q: str | None = None, user: User = Depends(current_user)):\n"
    "    found = await service.find(item, owner=user.id)\n    if found is None:\n"
    "        raise HTTPException(404)\n    return {'item': found, 'q': q}\n\n"
    for n, method in enumerate(["get", "post", "put", "delete"] * (ROUTES_A_FILE // 4))
)
_VIEW = "import React, { useState } from 'react';\nimport axios from 'axios';\n" + "".join(
    f"export function View{n}({{ id }}: {{ id: number }}) {{\n"
    "  const [value, setValue] = useState<string>('');\n"
    "  const load = async () => { const r = await axios.get(`/api/things/${id}`); setValue(r.data.name); };\n"
    "  return <div className='view' onClick={load}>{value}</div>;\n}\n"
    for n in range(20)
)
_EXPRESS = (
    "const express = require('express');\nconst router = express.Router();\n"
    + "".join(
        f"router.get('/{n}/:id', async (req, res) => {{ res.json(await find(req.params.id)); }});\n"
        for n in range(ROUTES_A_FILE)
    )
    + "module.exports = router;\n"
)


def generate(root: Path) -> int:
    """The number of routes."""
    backend, service = [], []
    for number in range(FILES):
        kind = number % 8
        if kind == 0:
            _write(root / f"backend/app/api/things_{number}.py", _ROUTER.replace("@@", str(number)))
            backend.append(number)
        elif kind <= 3:
            folder, text = ("services", _SERVICE) if kind % 2 else ("models", _MODEL)
            _write(root / f"backend/app/{folder}/thing_{number}.py", text.replace("@@", str(number)))
        elif number % 40 == 4:
            _write(root / f"service/routes/things_{number}.js", _EXPRESS)
            service.append(number)
        else:
            _write(root / f"web/src/views/thing_{number}.tsx", _VIEW)
    includes = "".join(
        f"from app.api import things_{n}\napp.include_router(things_{n}.router, prefix='/api')\n" for n in backend
    )
    _write(root / "backend/app/main.py", f"from fastapi import FastAPI\napp = FastAPI()\n{includes}")
    mounts = "".join(f"app.use('/t{n}', require('./routes/things_{n}'));\n" for n in service)
    _write(root / "service/app.js", f"const express = require('express');\nconst app = express();\n{mounts}")
    return ROUTES_A_FILE * (len(backend) + len(service))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def scan(root: str, cache: str) -> None:
    """What the process of one scan does; tells its routes and its peak memory in MB."""
    found = scan_tree(root, cache=Path(cache), workers=WORKERS)
    # What the kernel counts for `RUSAGE_SELF` begins with the peak of the process that started this one.
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0])
    peak += WORKERS * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    whole = sum(not route.unresolved for route in found.routes)
    print(json.dumps({"routes": whole, "files": found.files, "peak_mb": peak / 1024}))


def measure(root: Path, cache: Path, routes: int) -> tuple[float, float]:
    """CPU seconds per 1,000 files, and peak MB."""
    before = os.times()
    command = [sys.executable, "-m", "benchmarks.source", str(root), str(cache)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    after = os.times()
    told = json.loads(done.stdout)
    if told["routes"] != routes:
        raise RuntimeError(f"{told['routes']} routes of {routes} were found")
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return used / told["files"] * 1000, told["peak_mb"]


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        root, cache = Path(folder) / "repository", Path(folder) / "facts"
        routes = generate(root)
        first, peak = measure(root, cache, routes)
        again, _ = measure(root, cache, routes)
    about = f"{FILES} files, {routes} routes"
    return [
        Row(f"routes in source code, {about}", f"{first:.2f} CPU s/1000 files", f"<= {CPU_S} s", first <= CPU_S),
        Row("the same again, with the cache", f"{again:.3f} CPU s/1000 files", f"<= {AGAIN_S} s", again <= AGAIN_S),
        Row("memory of reading source code", f"{peak:.0f} MB", f"< {MEMORY_MB} MB", peak < MEMORY_MB),
    ]


if __name__ == "__main__":
    if sys.argv[1:]:
        scan(*sys.argv[1:])
    else:
        print_table(run())
