"""The catalogue as plain lists: what every page must be, computed the slow and obvious way."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

from metadata_service.domain.filters import Branch, Expression, ListQuery, Page, Range, Sort, Values
from metadata_service.domain.media import Kind, Marks


@dataclass
class Node:
    id: int
    parent: int | None
    kind: Kind
    name: str
    created_us: int
    marks: Marks = Marks.NONE
    description: str = ""
    prompt: str = ""
    tags: set[tuple[str, str]] = field(default_factory=set)
    group: int | None = None


@dataclass
class Model:
    root: int
    nodes: dict[int, Node] = field(default_factory=dict)
    group_tags: dict[int, set[tuple[str, str]]] = field(default_factory=dict)

    def above(self, node: Node) -> list[int]:
        chain, parent = [], node.parent
        while parent is not None:
            chain.append(parent)
            parent = self.nodes[parent].parent if parent in self.nodes else None
        return chain

    def page(self, query: ListQuery) -> Page:
        found = [node for node in self.nodes.values() if node.marks.listed and self._passes(node, query)]
        found.sort(key=lambda node: (_key(node, query.sort), node.id), reverse=query.descending)
        ids = [node.id for node in found]
        return Page(ids[query.offset : query.offset + query.limit], len(ids))

    def _passes(self, node: Node, query: ListQuery) -> bool:
        folder = self.root if query.folder_id is None else query.folder_id
        inside = folder in self.above(node) if query.deep else node.parent == folder
        kinds = query.kinds is None or node.kind in query.kinds
        since = query.created_from_us is None or node.created_us >= query.created_from_us
        until = query.created_before_us is None or node.created_us < query.created_before_us
        values = {value for _, value in node.tags}
        tags = query.tags is None or not values.isdisjoint(query.tags)
        groups = all(not wanted or any((name, v) in node.tags for v in wanted) for name, wanted in query.tag_filters)
        return inside and kinds and since and until and tags and groups

    def items_below(self, folder: int) -> int:
        counted = (Kind.IMAGE, Kind.VIDEO)
        return sum(n.kind in counted and n.marks.listed and folder in self.above(n) for n in self.nodes.values())

    def passing(self, expression: Expression, tags: dict[int, tuple[str, str]]) -> set[int]:
        """The media that pass a retrieval filter.

        Args:
            tags: tagset and value of every tag, by number.
        """
        present = (n for n in self.nodes.values() if n.kind is not Kind.FOLDER and n.marks.present)
        return {node.id for node in present if self._holds(node, expression, tags)}

    def _holds(self, node: Node, expression: Expression, tags: dict[int, tuple[str, str]]) -> bool:
        carried = node.tags | self.group_tags.get(node.group or 0, set())
        match expression:
            case Branch(every, children, negated):
                held = [self._holds(node, child, tags) for child in children]
                return (all(held) if every else any(held)) is not negated
            case Values(_, tag_ids, every, negated):
                held = [tags[tag_id] in carried for tag_id in tag_ids]
                return (all(held) if every else any(held)) is not negated
            case Range(_, _, _, _):
                raise NotImplementedError


def _key(node: Node, sort: Sort) -> tuple[object, ...]:
    match sort:
        case Sort.CREATED:
            return (node.created_us,)
        case Sort.NAME:
            return (unicodedata.normalize("NFC", unicodedata.normalize("NFC", node.name).casefold()),)
        case Sort.KIND:
            return (node.kind.label,)
        case Sort.DESCRIPTION:
            return (node.description,)
        case Sort.PROMPT:
            return (node.prompt,)
