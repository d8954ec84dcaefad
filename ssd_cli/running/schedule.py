"""The order of cells: longest first, and cells that share networks in sequence on one worker."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ssd_cli.running.plan import PlannedCell


class Queue:
    """Cells that wait for a worker. Within a group they are ordered by `alone`, groups by the sum of `cost`."""

    def __init__(self, cells: Iterable[PlannedCell]) -> None:
        self._groups: dict[str, list[PlannedCell]] = defaultdict(list)
        self._started: set[str] = set()
        for cell in cells:
            self._groups[cell.group].append(cell)
        for group in self._groups.values():
            group.sort(key=lambda cell: cell.alone)

    def __len__(self) -> int:
        return sum(map(len, self._groups.values()))

    def take(self, last_group: str | None = None) -> PlannedCell:
        """Return the next cell for a worker that computed `last_group`.

        Return the longest cell of that group, or else the longest cell of the unstarted group with the most work. If all groups are
        started, return the longest cell of all, which may wait for a network that another worker is training.
        """
        if last_group not in self._groups:
            fresh = [group for group in self._groups if group not in self._started]
            if fresh:
                last_group = max(fresh, key=lambda group: sum(cell.cost for cell in self._groups[group]))
            else:
                last_group = max(self._groups, key=lambda group: self._groups[group][-1].alone)
        self._started.add(last_group)
        cell = self._groups[last_group].pop()
        if not self._groups[last_group]:
            del self._groups[last_group]
        return cell

    def put_back(self, cell: PlannedCell) -> None:
        """Put a cell back into the queue, as the next cell of its group."""
        self._groups[cell.group].append(cell)
