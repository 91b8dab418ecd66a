"""What `/openapi.json` says of this dialect; the examples are the contract's samples."""

from __future__ import annotations

from typing import Any, Final

from gateway.openapi import Doc, Parameter, integer
from gateway.shapes import Loose

TAG: Final = "Wickson"

ITEM: Final[dict[str, Any]] = {
    "id": "doc_b1e01882-a58c-5010-a13c-ceff0c564f15",
    "media_type": "document",
    "file_info": {
        "filename": "research_paper.pdf",
        "size_bytes": 538064,
        "checksum": "3fbcec1c16cecd8166ae7a6f8a00b240db995bd5df1d8aced124acc91959c019",
        "page_count": 23,
    },
    "collection": "research",
    "storage": {"created_at": "2025-03-09T04:47:54.783840"},
    "metadata": {
        "search": {
            "summary": "This research paper examines...",
            "description": "A comprehensive analysis of...",
            "entities": {
                "people": ["John Smith", "Jane Doe"],
                "organizations": ["Research Institute", "University of Science"],
                "locations": ["Boston, MA", "San Francisco, CA"],
            },
            "semantic_markers": {
                "categories": ["Research", "Science", "Technology"],
                "topics": ["AI", "Machine Learning", "Neural Networks"],
            },
        },
        "modality": {"document": {"page_count": 23}},
    },
}
TYPES: Final = ["document", "image", "video", "audio", "model"]
_FLAG: Final = {"type": "boolean"}

LIST: Final = Doc(
    "List media, the newest first",
    {
        "success": True,
        "message": "Media items retrieved successfully",
        "data": {
            "items": [ITEM],
            "pagination": {"page": 1, "page_size": 10, "total_items": 42, "total_pages": 5, "has_next": True},
            "filters": {"applied": {"media_type": "document", "collection": "research"}, "total_matching": 42},
        },
        "timestamp": "2025-03-09T21:54:51.466986",
    },
    parameters=(
        integer("page", "Page number.", 1, 1),
        integer("page_size", "Items a page.", 20, 1, 100),
        Parameter(
            "media_type",
            "Only this type.",
            {"type": "string", "enum": ["document", "image", "video", "audio", "model"]},
        ),
        Parameter("collection", "Only this collection, by slug or id.", {"type": "string"}),
        Parameter("include_vectors", "Also the vector embeddings.", {**_FLAG, "default": False}),
        Parameter("include_metadata", "Also the metadata.", {**_FLAG, "default": True}),
    ),
    other_answers=(
        {
            "success": True,
            "message": "Media items retrieved successfully",
            "data": {
                "items": [{**ITEM, "vectors": {"clip": {"model": "...", "dimensions": 3, "values": [0.6, 0.0, -0.8]}}}],
                "pagination": {"page": 1, "page_size": 10, "total_items": 42, "total_pages": 5, "has_next": True},
                "filters": {"applied": {}, "total_matching": 42},
            },
            "timestamp": "2025-03-09T21:54:51.466986",
        },
    ),
    loose=Loose(
        optional="page_count metadata summary description entities semantic_markers document media_type collection "
        "vectors clip",
        maps="entities semantic_markers",
    ),
    errors={
        400: "A parameter is not valid.",
        401: "The key is missing or wrong.",
        403: "The key may not read, or not this collection.",
        429: "The key has asked too often.",
        503: "Vectors were asked for, and semantic search is not available.",
    },
)
