"""`touchstone admin`."""

import asyncio
from typing import Any

import typer
from pydantic import ValidationError

from backend.app.commands.serve import require_ready
from backend.app.commands.terminal import GOOD, USAGE, fail, read_secret
from backend.app.core.clock import utc_now
from backend.app.core.context import ServiceContext
from backend.app.core.errors import TouchstoneError
from backend.app.core.ids import new_ulid
from backend.app.core.message_hub import hub
from backend.app.core.runtime import NOBODY
from backend.app.core.settings import Settings, load_settings
from backend.app.db.engine import create_engine
from backend.app.db.session import Database
from backend.app.modules.auth.administration.service import AdministrationService
from backend.app.modules.auth.credentials.expected_passwords import refuse_expected
from backend.app.modules.auth.credentials.passwords import hash_password
from backend.app.modules.auth.schemas import UserRegister, fold_email
from backend.app.worker import load_handlers


def create_administrator(email: str, first_name: str, last_name: str, password_stdin: bool) -> int:
    settings = load_settings()
    require_ready(settings)
    load_handlers()
    try:
        address = fold_email(email)
    except ValueError as error:
        fail(f"{email}: {error}", USAGE)
    if asyncio.run(_appoint(settings, address, None)):
        typer.echo(f"{address} has an account, which administers this installation; its password stays.")
        return GOOD
    password = read_secret("Password", password_stdin, option="--password-stdin", confirm=True)
    try:
        wanted = UserRegister(email=address, password=password, first_name=first_name, last_name=last_name)
        refuse_expected(password, (address, first_name, last_name))
    except ValidationError as error:
        faults = (f"{fault['loc'][0]}: {fault['msg'].removeprefix('Value error, ')}" for fault in error.errors())
        fail("; ".join(faults), USAGE)
    except TouchstoneError as error:
        fail(error.detail, USAGE)
    asyncio.run(_appoint(settings, address, wanted))
    typer.echo(f"{address} administers this installation.")
    return GOOD


async def _appoint(settings: Settings, email: str, wanted: UserRegister | None) -> bool:
    values: dict[str, Any] | None = None
    if wanted is not None:
        values = {**wanted.model_dump(exclude={"password"}), "password_hash": await hash_password(wanted.password)}
    database = Database(create_engine(settings.database), patience_s=settings.database.busy_timeout_s)
    try:
        async with database.transaction() as session:
            context = ServiceContext(settings, session, hub, NOBODY, utc_now, new_ulid())
            return await AdministrationService(context).appoint(email, values)
    finally:
        await database.close()
