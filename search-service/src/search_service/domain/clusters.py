"""Groups of vectors that lie together, by HDBSCAN (Campello et al. 2013), as scikit-learn has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search_service.domain.vectors import Vector, unit


@dataclass(frozen=True, slots=True)
class Cluster:
    """`middle_id` is the member nearest to the middle of all."""

    middle_id: int
    member_ids: tuple[int, ...]


def clustered(ids: Sequence[int], vectors: Vector, min_size: int) -> list[Cluster]:
    """Clusters of at least `min_size`, the largest first, equal ones by their least id. What lies alone is in none.

    Args:
        vectors: one row an id; the length of a row does not matter.
        min_size: a cluster has two members anyway.
    """
    min_size = max(2, min_size)
    if len(ids) < min_size:
        return []
    from sklearn.cluster import HDBSCAN  # it takes a second to import

    order = np.argsort(np.asarray(ids))
    rows = unit(vectors[order])
    names = [ids[place] for place in order]
    # On the unit sphere the Euclidean order is the cosine's. A single cluster is an answer too.
    labels = HDBSCAN(min_cluster_size=min_size, allow_single_cluster=True, copy=True).fit_predict(rows)
    found = []
    for label in range(labels.max() + 1):
        places = np.flatnonzero(labels == label)
        nearest = places[int(np.argmax(rows[places] @ rows[places].mean(0)))]
        found.append(Cluster(names[nearest], tuple(names[place] for place in places)))
    return sorted(found, key=lambda cluster: (-len(cluster.member_ids), cluster.member_ids[0]))
