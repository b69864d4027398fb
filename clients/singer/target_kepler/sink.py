"""One stream: an entity of Kepler."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from singer_sdk.sinks import BatchSink
from singer_sdk.singerlib.json import serialize_json

from target_kepler.database import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_kepler.target import TargetKepler

DELETED_AT = "_sdc_deleted_at"


class KeplerSink(BatchSink):
    """Collects the records of a stream, and upserts them a batch at a time."""

    def __init__(
        self,
        target: TargetKepler,
        stream_name: str,
        schema: dict[str, Any],
        key_properties: Sequence[str] | None,
    ) -> None:
        super().__init__(target, stream_name, schema, key_properties)
        self._target = target
        self._version: int | None = None
        # A version that was activated before it had a record.
        self._announced: int | None = None

    # What comes in

    def version(self, version: int | None) -> None:
        """The version that the next records belong to. Those of another version are written first."""
        if version != self._version:
            self._target.drain_one(self)
            self._version = version

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        """Adds a record to the batch."""
        self._target.states.received(self.stream_name)
        super().process_record(record, context)

    def _parse_timestamps_in_record(self, *_: Any, **__: Any) -> None:
        """Leaves times as the source spelled them: Kepler reads them, and loses nothing."""

    def _remove_sdc_metadata_from_record(self, record: dict[str, Any]) -> None:
        """Keeps the one member that says that the record was deleted at the source."""
        deleted_at = record.get(DELETED_AT)
        super()._remove_sdc_metadata_from_record(record)
        if deleted_at is not None:
            record[DELETED_AT] = deleted_at

    # What goes out

    def process_batch(self, context: dict[str, Any]) -> None:
        """Upserts a batch in one transaction, and tells the state that it completes."""
        records = context.get("records", [])
        if records:
            answer = self._target.database.upsert(
                self.stream_name, self.run(), self._lines(records), self._keys()
            )
            self.tally_duplicate_merged(answer.superseded)
            for external_id, code, error in answer.rejected:
                self.logger.warning("Record %s was rejected (%s): %s", external_id, code, error)
        self._target.states.committed(self.stream_name, len(records))
        self._target.tell_state()

    def _keys(self) -> dict[str, str | None]:
        """What the members of a document mean; nothing for documents in envelopes."""
        if not self.key_properties:
            return {}
        keys = [_pointer(key) for key in self.key_properties]
        updated_at = self.config["updated_at_keys"].get(self.stream_name)
        return {
            "id_key": keys[0] if len(keys) == 1 else json.dumps(keys),
            "updated_at_key": updated_at and _pointer(updated_at),
            "deleted_key": DELETED_AT,
        }

    def _lines(self, records: list[dict[str, Any]]) -> str:
        if self.key_properties:
            return "\n".join(serialize_json(record) for record in records)
        return "\n".join(_in_envelope(record) for record in records)

    # The run

    def run(self) -> Run:
        """The run that the records belong to: a full one, as long as a version lists what exists."""
        return self._target.database.run(self.stream_name, self._version)

    def checkpoint(self, state: dict[str, Any]) -> None:
        """Notes a state, if the stream has a run."""
        self._target.database.checkpoint(self.stream_name, state)

    def activate_version(self, new_version: int) -> None:
        """Deletes the records that the version did not bring, or waits for the end of the input.

        Some taps send this before the first record of the version, some behind the last one.
        """
        self._target.drain_one(self)
        if not self._target.database.activate(self.stream_name, new_version):
            self._announced = new_version

    def clean_up(self) -> None:
        """All input was read, or somebody has stopped the target."""
        if not self._target.is_stopped:
            self._end()
        super().clean_up()

    def _end(self) -> None:
        database = self._target.database
        if not self._target.is_complete:
            # The run of a version stays open: a process that brings more of it goes on with it.
            if self._version is None:
                database.fail(self.stream_name, "the tap ended without a state behind its last record")
            self.logger.warning("The input ended without a state behind its last record: nothing is deleted")
            return
        if self._announced is not None and not database.activate(self.stream_name, self._announced):
            self.logger.warning("Version %d brought no records: nothing is deleted", self._announced)
        database.finish(self.stream_name)
        database.fail(self.stream_name, f"the tap did not activate version {self._version}: nothing was deleted")


def _pointer(member: str) -> str:
    """A member by its name; as a JSON Pointer where the name looks like one, or like a list of names."""
    if member.startswith(("/", "[")):
        return "/" + member.replace("~", "~0").replace("/", "~1")
    return member


def _in_envelope(record: dict[str, Any]) -> str:
    """A record without a key, under an id that is made of its content: what comes again is the same record."""
    digest = hashlib.sha256(serialize_json(record, sort_keys=True).encode()).hexdigest()
    return serialize_json({"external_id": digest, "data": record, "deleted": DELETED_AT in record})
