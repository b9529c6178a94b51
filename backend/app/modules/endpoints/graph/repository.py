"""All SQL of the graph."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import String, bindparam, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.core.pagination import Row
from backend.app.db.base import Base
from backend.app.db.delete import delete_some
from backend.app.db.insert import insert_or_ignore, insert_or_ignore_many
from backend.app.db.rows import ListQuery, PreparedSelect, all_tuples, part_of
from backend.app.modules.endpoints.graph.models import EntityRecord, Origin, RelationshipRecord
from backend.app.modules.endpoints.graph.schemas import EntityRead, RelationshipRead

_BATCH: Final = 500
_entities: Any = EntityRecord.__table__
_relationships: Any = RelationshipRecord.__table__


def _list(table: Any, columns: Iterable[str], *exact: str) -> ListQuery:
    mine = table.c.workspace_id == bindparam("workspace"), table.c.project_id == bindparam("project")
    return ListQuery(
        select(*(table.c[name] for name in columns)).where(*mine),
        {
            **{name: table.c[name] == bindparam(name) for name in ("type", "origin", *exact)},
            "name": table.c.name.icontains(bindparam("name", type_=String), escape="/"),
            "min_confidence": table.c.confidence >= bindparam("min_confidence"),
            "after": table.c.id > bindparam("after"),
        },
        table.c.id,
    )


_LISTS: Final = {
    EntityRecord: _list(_entities, EntityRead.model_fields),
    RelationshipRecord: _list(_relationships, RelationshipRead.model_fields, "source_id", "target_id"),
}
_EDGES: Final = {
    typed: PreparedSelect(
        select(_relationships.c.id, _relationships.c.source_id, _relationships.c.target_id, _relationships.c.type)
        .where(
            _relationships.c.workspace_id == bindparam("workspace"),
            _relationships.c.project_id == bindparam("project"),
            _relationships.c.confidence > 0,
            *([_relationships.c.type == bindparam("type")] if typed else []),
        )
        .limit(bindparam("limit"))
    )
    for typed in (False, True)
}


@dataclass(frozen=True, slots=True)
class GraphFilter:
    """`name` is a part of it, compared without case; the ends are those of relationships."""

    type: str | None = None
    name: str | None = None
    origin: str | None = None
    min_confidence: float | None = None
    source_id: str | None = None
    target_id: str | None = None


class GraphRepository:
    """`model` is `EntityRecord` or `RelationshipRecord`."""

    def __init__(self, session: AsyncSession, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id

    def _of(self, model: type[Base], project_id: str) -> list[Any]:
        table: Any = model.__table__
        return [table.c.workspace_id == self._workspace_id, table.c.project_id == project_id]

    async def page(
        self, model: type[Base], project_id: str, wanted: GraphFilter, after: str | None, limit: int
    ) -> Sequence[Row]:
        """Oldest first."""
        names = ("type", "origin", "min_confidence", "source_id", "target_id")
        filters = {name: getattr(wanted, name) for name in names}
        return await _LISTS[model].fetch(
            self._session,
            limit=limit,
            workspace=self._workspace_id,
            project=project_id,
            after=after,
            name=part_of(wanted.name),
            **filters,
        )

    async def get(self, model: type[Base], project_id: str, row_id: str, *, lock: bool = False) -> Row | None:
        """`lock`: nobody else changes it until the transaction ends."""
        query = select(*_columns(model)).where(*self._of(model, project_id), _id(model) == row_id)
        return (await self._session.execute(query.with_for_update() if lock else query)).mappings().first()

    async def some(self, model: type[Base], project_id: str, ids: Sequence[str]) -> list[Row]:
        """In the order of `ids`, without those that are not there."""
        found: dict[str, Row] = {}
        for batch in _batches(ids):
            query = select(*_columns(model)).where(*self._of(model, project_id), _id(model).in_(batch))
            found |= {row["id"]: row for row in (await self._session.execute(query)).mappings()}
        return [found[row_id] for row_id in ids if row_id in found]

    async def hold_ends(self, project_id: str, ids: Collection[str]) -> bool:
        """Whether all of these entities are there; they stay until the transaction ends."""
        query = select(_entities.c.id).where(*self._of(EntityRecord, project_id), _entities.c.id.in_(ids))
        rows = await self._session.execute(query.order_by(_entities.c.id).with_for_update(read=True, key_share=True))
        return set(rows.scalars()) == set(ids)

    async def add(self, model: type[Base], values: Row) -> bool:
        """False when the project has one like it."""
        return await insert_or_ignore(self._session, model, {**values, "workspace_id": self._workspace_id})

    async def change(self, model: type[Base], project_id: str, row_id: str, values: Row) -> bool:
        """The next version of it. False when the project has one like it."""
        table: Any = model.__table__
        mine = [*self._of(model, project_id), _id(model) == row_id]
        try:
            async with self._session.begin_nested():
                await self._session.execute(update(table).where(*mine).values(**values, version=table.c.version + 1))
        except IntegrityError:
            return False
        return True

    async def remove(self, model: type[Base], project_id: str, row_id: str) -> None:
        """An entity goes with its relationships."""
        await self._session.execute(delete(model).where(*self._of(model, project_id), _id(model) == row_id))

    async def around(
        self, project_id: str, ids: Sequence[str], *, out: bool, kind: str | None, limit: int
    ) -> Sequence[Row]:
        """Relationships that begin (`out`) or end at one of `ids`, as id, source, target; the likeliest first."""
        near = _relationships.c.source_id if out else _relationships.c.target_id
        found: list[Row] = []
        for batch in _batches(ids):
            query = (
                select(_relationships.c.id, _relationships.c.source_id, _relationships.c.target_id)
                .where(*self._of(RelationshipRecord, project_id), near.in_(batch))
                .order_by(_relationships.c.confidence.desc(), _relationships.c.id)
                .limit(limit - len(found))
            )
            if kind is not None:
                query = query.where(_relationships.c.type == kind)
            found += (await self._session.execute(query)).mappings()
        return found

    async def edges(self, project_id: str, kind: str | None, limit: int) -> list[dict[str, Any]]:
        """Id, ends and type of the relationships that nobody denied, in no order."""
        values = {"workspace": self._workspace_id, "project": project_id, "limit": limit}
        if kind is not None:
            values["type"] = kind
        return await _EDGES[kind is not None].fetch(self._session, values)

    async def dependencies(self, project_id: str) -> Sequence[Row]:
        """The names of both ends of each `depends_on`, with its properties and confidence."""
        source, target = _entities.alias(), _entities.alias()
        query = (
            select(
                source.c.name.label("consumer"),
                target.c.name.label("producer"),
                _relationships.c.properties,
                _relationships.c.confidence,
                _relationships.c.origin,
            )
            .join(source, source.c.id == _relationships.c.source_id)
            .join(target, target.c.id == _relationships.c.target_id)
            .where(
                *self._of(RelationshipRecord, project_id),
                _relationships.c.type == "depends_on",
                _relationships.c.confidence > 0,
                source.c.type == "operation",
                target.c.type == "operation",
            )
            .order_by(_relationships.c.id)
        )
        return (await self._session.execute(query)).mappings().all()

    async def revision(self, project_id: str) -> tuple[Any, ...]:
        """Another one whenever something of the graph was added, changed or removed."""
        found: list[Any] = []
        for model in (EntityRecord, RelationshipRecord):
            table: Any = model.__table__
            query = select(func.count(), func.max(table.c.updated_at)).where(*self._of(model, project_id))
            found += (await self._session.execute(query)).one()
        return tuple(found)

    async def known_entities(self, project_id: str) -> Sequence[Sequence[str]]:
        """Id, type, name, origin and digest of all."""
        query = select(
            _entities.c.id, _entities.c.type, _entities.c.name, _entities.c.origin, _entities.c.digest
        ).where(*self._of(EntityRecord, project_id))
        return await all_tuples(self._session, query)

    async def held_by_people(self, project_id: str) -> set[str]:
        """The entities that a person's relationship begins or ends at."""
        mine = [*self._of(RelationshipRecord, project_id), _relationships.c.origin == Origin.PERSON]
        query = select(_relationships.c.source_id, _relationships.c.target_id).where(*mine)
        return {end for row in await self._session.execute(query) for end in row}

    async def known_relationships(self, project_id: str) -> Sequence[Sequence[str]]:
        """Id, type, source, target, origin and digest of all."""
        columns = (_relationships.c[name] for name in ("id", "type", "source_id", "target_id", "origin", "digest"))
        query = select(*columns).where(*self._of(RelationshipRecord, project_id))
        return await all_tuples(self._session, query)

    async def add_many(self, model: type[Base], rows: Sequence[Row]) -> int:
        """Those that are there already stay; answers how many were not."""
        owned = [{**row, "workspace_id": self._workspace_id} for row in rows]
        return len(await insert_or_ignore_many(self._session, model, owned))

    async def rederive(self, model: type[Base], project_id: str, rows: Sequence[Row]) -> None:
        """Each row names its `id` and the same columns; a person's stay as they are."""
        table: Any = model.__table__
        columns = {name: bindparam(f"b_{name}", type_=table.c[name].type) for name in rows[0] if name != "id"}
        mine = [*self._of(model, project_id), table.c.origin == Origin.DERIVED, table.c.id == bindparam("b_id")]
        await self._session.execute(
            update(table).where(*mine).values(columns), [{f"b_{name}": row[name] for name in row} for row in rows]
        )

    async def remove_derived(self, model: type[Base], project_id: str, ids: Sequence[str]) -> None:
        table: Any = model.__table__
        mine = [*self._of(model, project_id), table.c.origin == Origin.DERIVED]
        for batch in _batches(ids):
            await self._session.execute(delete(table).where(*mine, table.c.id.in_(batch)))

    async def remove_some(self, project_id: str, limit: int) -> bool:
        """Removes some of what is kept of a project; whether there may be more."""
        for model in (RelationshipRecord, EntityRecord):
            if await delete_some(self._session, model, *self._of(model, project_id), limit=limit) == limit:
                return True
        return False


def _columns(model: type[Base]) -> list[Any]:
    table: Any = model.__table__
    fields = EntityRead.model_fields if model is EntityRecord else RelationshipRead.model_fields
    return [table.c[name] for name in fields]


def _id(model: type[Base]) -> Any:
    table: Any = model.__table__
    return table.c.id


def _batches(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))
