"""Reads the messages of a tap, and tells it which states are safe."""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from singer_sdk import typing as th
from singer_sdk.helpers.capabilities import CapabilitiesEnum, PluginCapabilities
from singer_sdk.target_base import Target

from target_kepler.database import Database
from target_kepler.sink import KeplerSink
from target_kepler.states import States


class TargetKepler(Target):
    """Streams become entities, records become records, and a version that ends becomes a sweep."""

    name = "target-kepler"
    default_sink_class = KeplerSink
    package_name = "target-kepler"
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        *Target.capabilities,
        PluginCapabilities.ACTIVATE_VERSION,
    ]

    config_jsonschema = th.PropertiesList(
        th.Property(
            "conninfo",
            th.StringType,
            required=True,
            secret=True,
            description="Connection string or URI of the database, as libpq takes it. "
            "libpq's environment variables and password file count too.",
        ),
        th.Property(
            "workspace_id",
            th.StringType,
            description="Workspace of the records; the session's one where it is left out.",
        ),
        th.Property(
            "connection_id",
            th.StringType,
            description="Row of kepler.connections that the streams come from; none where it is left out.",
        ),
        th.Property(
            "source",
            th.StringType,
            default="singer",
            description="Source of the entities, for example the name of the tap.",
        ),
        th.Property(
            "updated_at_keys",
            th.ObjectType(additional_properties=th.StringType),
            default={},
            description="For each stream, the property that holds the source's time of change. "
            "Older versions of a record then never overwrite newer ones.",
        ),
        th.Property(
            "invalid_characters",
            th.StringType,
            default="reject",
            allowed_values=["reject", "strip"],
            description="What becomes of U+0000 and lone surrogates, which Postgres cannot store: the record is "
            "rejected, or they are removed.",
        ),
        th.Property(
            "max_delete_fraction",
            th.NumberType,
            default=0.2,
            description="An ACTIVATE_VERSION that would delete a greater part of a stream's records is refused.",
        ),
        th.Property(
            "allow_rejects",
            th.BooleanType,
            default=False,
            description="Whether ACTIVATE_VERSION may delete although records of the stream were rejected.",
        ),
    ).to_dict()

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # One connection: the streams take turns.
        self.max_parallelism = 1
        self.states = States()
        self._database: Database | None = None
        self._told: dict[str, Any] | None = None
        # Whether a signal has stopped the target, so that more input may have been to come.
        self.is_stopped = False
        # Whether a state stands behind the last record. A tap that fails ends its output anywhere.
        self.is_complete = True

    @property
    def database(self) -> Database:
        """The connection, made when the first stream needs it."""
        if self._database is None:
            self._database = Database(self.config)
        return self._database

    def _process_record_message(self, message_dict: dict[str, Any]) -> None:
        """Tells the stream which version the record is of, and hands it over."""
        self.is_complete = False
        for stream_map in self.mapper.stream_maps.get(message_dict.get("stream", ""), []):
            sink = self._sinks_active.get(stream_map.stream_alias)
            if isinstance(sink, KeplerSink):
                sink.version(message_dict.get("version"))
        super()._process_record_message(message_dict)

    def _process_schema_message(self, message_dict: dict[str, Any]) -> None:
        """Writes what came in under the schema before: records are committed in the order of the input."""
        for stream_map in self.mapper.stream_maps.get(message_dict.get("stream", ""), []):
            if sink := self._sinks_active.get(stream_map.stream_alias):
                self.drain_one(sink)
        super()._process_schema_message(message_dict)

    def _process_state_message(self, message_dict: dict[str, Any]) -> None:
        """Keeps the state until all records before it are committed."""
        self._assert_line_requires(message_dict, requires={"value"})
        self.is_complete = True
        self.states.add(message_dict["value"])
        self.tell_state()

    def tell_state(self) -> None:
        """Tells the newest state that is covered, and notes it on the runs of the streams."""
        state = self.states.covered()
        if state is None or state == self._told:
            return
        for sink in self._sinks_active.values():
            if isinstance(sink, KeplerSink):
                sink.checkpoint(state)
        self._told = state
        self._write_state_message(state)

    def _process_activate_version_message(self, message_dict: dict[str, Any]) -> None:
        """Deletes what a stream no longer has. The states before it are told first."""
        for stream_map in self.mapper.stream_maps[message_dict["stream"]]:
            sink = self.get_sink(stream_map.stream_alias)
            if sink.process_activate_version_messages:
                sink.activate_version(message_dict["version"])
        self.tell_state()

    def _handle_termination(self, signum: int, frame: Any) -> None:
        """Writes what came in. The runs stay open, for the next process."""
        self.is_stopped = True
        super()._handle_termination(signum, frame)

    def process_endofpipe(self) -> None:
        """All input was read: writes what is left, ends the runs, and tells the last state."""
        super().process_endofpipe()
        self.tell_state()
        if self._database is not None:
            self._database.close()
        sys.stdout.flush()


if __name__ == "__main__":
    TargetKepler.cli()
