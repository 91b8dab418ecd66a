"""Between messages and the domain: filters, scopes, vectors, finds. No rules here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from media_common.errors import InvalidArgument
from media_proto import search_pb2 as pb

from search_service.domain import clusters, filters, points, temporal
from search_service.domain.filters import MAX_DEPTH, Filter
from search_service.domain.fusion import Scored
from search_service.domain.objects import Box
from search_service.domain.progress import Progress
from search_service.domain.searching import Scope
from search_service.domain.vectors import Vector
from search_service.encoders.kept import State, Status
from search_service.encoders.object_models import ModelStatus
from search_service.objects import GivenObject

MOST: Final = 1000
_FIELDS: Final[dict[int, str]] = {
    pb.FIELD_ITEM: points.ITEM,
    pb.FIELD_KIND: points.KIND,
    pb.FIELD_TAG: points.TAGS,
    pb.FIELD_OWN_TAG: points.OWN_TAGS,
    pb.FIELD_GROUP: points.GROUPS,
    pb.FIELD_FOLDER: points.FOLDERS,
    pb.FIELD_CREATED_US: points.CREATED,
    pb.FIELD_DATED_US: points.DATED,
}
_STATES: Final = {
    State.OFF: pb.ENCODER_STATE_OFF,
    State.LOADING: pb.ENCODER_STATE_LOADING,
    State.READY: pb.ENCODER_STATE_READY,
    State.UNAVAILABLE: pb.ENCODER_STATE_UNAVAILABLE,
}


def limit_of(limit: int) -> int:
    """
    Raises:
        InvalidArgument: it is not within 1..1000.
    """
    if not 1 <= limit <= MOST:
        raise InvalidArgument(f"limit must be between 1 and {MOST}.")
    return limit


def scope_of(scope: pb.Scope) -> Scope:
    """
    Raises:
        InvalidArgument: a filter that says nothing, or goes too deep.
    """
    tree = filter_of(scope.filter) if scope.HasField("filter") else filters.EVERYTHING
    if filters.depth(tree) > MAX_DEPTH:
        raise InvalidArgument("The filter is nested too deeply.")
    return Scope(scope.collection_id, tree, tuple(scope.seen), tuple(scope.excluded))


def filter_of(message: pb.Filter) -> Filter:
    made = _node(message)
    return filters.Not(made) if message.negated else made


def _node(message: pb.Filter) -> Filter:
    match message.WhichOneof("node"):
        case "all":
            return filters.All(tuple(filter_of(part) for part in message.all.parts))
        case "any":
            return filters.Any(tuple(filter_of(part) for part in message.any.parts))
        case "has":
            return filters.Has(_field(message.has.field), frozenset(message.has.values))
        case "between":
            told = message.between
            return filters.Between(
                _field(told.field),
                told.lower if told.HasField("lower") else None,
                told.upper if told.HasField("upper") else None,
            )
        case _:
            raise InvalidArgument("A filter says nothing.")


def _field(field: int) -> str:
    if field not in _FIELDS:
        raise InvalidArgument("A filter names no field.")
    return _FIELDS[field]


def vector_of(message: pb.Vector) -> Vector:
    return np.asarray(message.values, dtype=np.float32)


def vectors_out(model: str, vectors: Iterable[Vector]) -> pb.Vectors:
    return pb.Vectors(model=model, vectors=[vector_out(vector) for vector in vectors])


def vector_out(vector: Vector) -> pb.Vector:
    return pb.Vector(values=vector.tolist())


def point_vectors_out(model: str, vectors: Mapping[int, Vector]) -> pb.PointVectors:
    return pb.PointVectors(model=model, vectors={key: vector_out(vector) for key, vector in vectors.items()})


def scored_out(scored: Iterable[Scored]) -> list[pb.Scored]:
    return [pb.Scored(item_id=one.item_id, score=one.score) for one in scored]


def match_out(match: temporal.Match) -> pb.Match:
    return pb.Match(
        group_id=match.group_id, score=match.score, point_ids=match.item_ids, best_point_id=match.best_item_id
    )


def encoder_out(status: Status) -> pb.Encoder:
    return pb.Encoder(
        name=status.name,
        model=status.model,
        dimensions=status.dimensions,
        state=_STATES[status.state],
        reason=status.reason,
        space=status.space,
    )


def object_of(message: pb.ObjectVector) -> GivenObject:
    """
    Raises:
        InvalidArgument: nothing is said of it.
    """
    match message.WhichOneof("given"):
        case "vector":
            what: Vector | bytes | Box = vector_of(message.vector)
        case "picture":
            what = message.picture
        case "box":
            box = message.box
            what = Box(box.frame, box.x, box.y, box.width, box.height)
        case _:
            raise InvalidArgument("An object comes with a vector, a picture or a box.")
    return GivenObject(message.object_id, message.item_id, what)


def object_model_out(status: ModelStatus) -> pb.ObjectModel:
    return pb.ObjectModel(name=status.name, dimensions=status.dimensions, reason=status.reason)


def progress_out(progress: Progress) -> pb.Progress:
    return pb.Progress(
        pending=progress.pending,
        running=progress.running,
        done=progress.done,
        dead=progress.dead,
        paused=progress.paused,
        remaining_s=progress.remaining_s,
    )


def clusters_out(found: Iterable[clusters.Cluster]) -> pb.Clusters:
    return pb.Clusters(clusters=[pb.Cluster(middle_id=one.middle_id, member_ids=one.member_ids) for one in found])


def next_out(status: Status | None) -> pb.Encoder | None:
    return None if status is None else encoder_out(status)
