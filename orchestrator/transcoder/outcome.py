"""What is known of one running task: the percent of its outputs, and which are stored."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator.query import EncodeQuery
from orchestrator.transcoder.answers import outline
from orchestrator.transcoder.ports import Missed

Record = dict[str, Any]


class Outputs:
    """The records of a task's outputs, in the order of its query."""

    def __init__(self, query: EncodeQuery, chains: Mapping[int, str]) -> None:
        self._chains = chains
        self._expected = outline(query)
        self._found: dict[int, list[Record]] = {}
        self.percents = {record["tag"]: 0.0 for record in self._expected}

    @property
    def records(self) -> list[Record]:
        """What is stored, and in the place of what is not yet its outline."""
        indexes = dict.fromkeys(record["index"] for record in self._expected)
        return [record for index in indexes for record in self._of(index)]

    def store(self, records: Sequence[Record], *, whole: bool) -> None:
        """An output is where it belongs; not ``whole`` yet where more streams will come."""
        index = records[0]["index"]
        self._found[index] = [self._stored(record) for record in records]
        if not whole:
            here = {record["tag"] for record in records}
            rest = [each for each in self._outline(index) if each["tag"] not in here]
            self._found[index] += rest

    def miss(self, missed: Iterable[Missed]) -> None:
        """Outputs that failed, and may."""
        for each in missed:
            bare = self._outline(each.format_index)
            self._found[each.format_index] = [{**record, "error": each.reason} for record in bare]

    def finished(self) -> list[Record]:
        """The records of a task that went well: those left out by the query's rules are gone."""
        return [each for each in self.records if each.get("stored") or each.get("error")]

    def failed(self) -> list[Record]:
        """The records of a task that failed: what lies in our own downloads goes with it."""
        return [
            each if each.get("stored") and "path" not in each else self._bare(each)
            for each in self.records
        ]

    def _of(self, index: int) -> list[Record]:
        return self._found.get(index) or self._outline(index)

    def _outline(self, index: int) -> list[Record]:
        return [record for record in self._expected if record["index"] == index]

    def _bare(self, record: Record) -> Record:
        kept = ("list", "tag", "output", "user_tag", "index", "error")
        return {name: record[name] for name in kept if name in record}

    def _stored(self, record: Record) -> Record:
        tag = self._chains.get(record["index"])
        meta = {**record["meta"], "incremental_tag": tag} if tag else record["meta"]
        return {**record, "meta": meta, "stored": True}
