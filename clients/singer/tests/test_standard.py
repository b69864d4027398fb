"""The SDK's own tests of targets, each with a look at what was written.

Most of them only see that nothing fails. Here each compares all rows with what its file says.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from conftest import CONFIG, Database
from singer_sdk.testing import target_tests as standard
from singer_sdk.testing.config import SuiteConfig
from singer_sdk.testing.factory import TargetTestClassFactory
from singer_sdk.testing.suites import SingerTestSuite, target_tests

from target_kepler.target import TargetKepler


class Checked:
    """Compares the rows of each stream with ``rows``: by external id, or as a list where there is no key."""

    rows: ClassVar[dict[str, Any]] = {}
    rejected: ClassVar[list[tuple[str, str]]] = []

    def setup(self) -> None:
        """Begins with an empty database."""
        self.database = Database()
        self.database.clear()

    def validate(self) -> None:
        """Compares what is there."""
        assert self.database.streams() == sorted(name for name, rows in self.rows.items() if rows)
        for stream, rows in self.rows.items():
            found = self.database.records(stream)
            if isinstance(rows, dict):
                assert found == rows
            else:
                key = lambda row: json.dumps(row, sort_keys=True)  # noqa: E731
                assert sorted(found.values(), key=key) == sorted(rows, key=key)
                assert all(len(external_id) == 64 for external_id in found)
        found = self.database.query("SELECT external_id, error_code FROM kepler.rejects ORDER BY id")
        assert found == self.rejected

    def teardown(self) -> None:
        """Closes the connection."""
        self.database.connection.close()


def by_id(*rows: dict[str, Any], key: str = "id") -> dict[str, Any]:
    """Rows by their external ids."""
    return {str(row[key]): row for row in rows}


class ArrayData(Checked, standard.TargetArrayData):
    rows: ClassVar = {
        "test_array_data": by_id(
            {"id": 1, "fruits": ["apple", "orange", "pear"]},
            {"id": 2, "fruits": ["banana", "apple"]},
            {"id": 3, "fruits": ["pear"]},
            {"id": 4, "fruits": ["orange", "banana", "apple", "pear"]},
        )
    }


class Camelcase(Checked, standard.TargetCamelcaseTest):
    rows: ClassVar = {
        "TestCamelcase": by_id(
            {"Id": "1", "clientName": "Gitter Windows Desktop App"},
            {"Id": "2", "clientName": "Gitter iOS App"},
            key="Id",
        )
    }


class CamelcaseComplexSchema(Checked, standard.TargetCamelcaseComplexSchema):
    # The file has schemas and no records.
    rows: ClassVar = {"ForecastingTypeToCategory": {}}


class CliPrints(Checked, standard.TargetCliPrintsTest):
    """Writes nothing."""


class DuplicateRecords(Checked, standard.TargetDuplicateRecords):
    rows: ClassVar = {"test_duplicate_records": by_id({"id": 1, "metric": 100}, {"id": 2, "metric": 20})}


class EncodedStringData(Checked, standard.TargetEncodedStringData):
    """Every string arrives as it is, but for U+0000, which Postgres cannot store: such a record is kept aside."""

    rejected: ClassVar = [("11", "nul_character"), ("11", "nul_character"), ("6", "nul_character")]

    def validate(self) -> None:
        """Takes the rows from the file: json decodes them as the target must."""
        rows: dict[str, Any] = {}
        for line in self.singer_filepath.read_text(encoding="utf8").splitlines():
            message = json.loads(line)
            if message["type"] == "RECORD" and "\0" not in str(self.strings(message["record"])):
                rows.setdefault(message["stream"], {})[str(message["record"]["id"])] = message["record"]
        assert {stream: len(records) for stream, records in rows.items()} == {
            "test_strings": 10,
            "test_strings_in_objects": 10,
            "test_strings_in_arrays": 5,
        }
        type(self).rows = rows
        super().validate()

    def strings(self, value: Any) -> str:
        """All strings in a value."""
        if isinstance(value, dict):
            return "".join(map(self.strings, value.values()))
        return "".join(map(self.strings, value)) if isinstance(value, list) else str(value)


class InvalidSchema(Checked, standard.TargetInvalidSchemaTest):
    """Is refused before anything is written."""


class MultipleStateMessages(Checked, standard.TargetMultipleStateMessages):
    """The test that the SDK leaves out: a state is told when all records before it are committed, not earlier."""

    rows: ClassVar = {
        "test_multiple_state_messages_a": by_id(*({"id": n, "metric": 100 * n} for n in range(1, 7))),
        "test_multiple_state_messages_b": by_id(*({"id": n, "metric": 110 * n} for n in range(1, 7))),
    }

    def test(self) -> None:
        """The SDK compares with texts, while its runner has parsed the states."""
        self.runner.sync_all()
        assert self.runner.state_messages == [
            {"test_multiple_state_messages_a": 1, "test_multiple_state_messages_b": 0},
            {"test_multiple_state_messages_a": 3, "test_multiple_state_messages_b": 2},
            {"test_multiple_state_messages_a": 5, "test_multiple_state_messages_b": 6},
        ]


class NoPrimaryKeys(Checked, standard.TargetNoPrimaryKeys):
    rows: ClassVar = {"test_no_pk": [{"id": n, "metric": 11 * n} for n in range(1, 4)]}


class OptionalAttributes(Checked, standard.TargetOptionalAttributes):
    rows: ClassVar = {
        "test_optional_attributes": by_id(
            {"id": 1, "optional": "This is optional"},
            {"id": 2},
            {"id": 3, "optional": "Also optional"},
            {"id": 4},
        )
    }


class PrimaryKeyUpdates(Checked, standard.TargetPrimaryKeyUpdates):
    # The file has its key_properties inside the schema, where they are none.
    rows: ClassVar = {
        "example_stream": [
            {"id": 1, "name": "Alice", "email": "alice@example.com"},
            {"id": 2, "name": "Bob", "email": "bob@example.com"},
        ]
    }


class RecordBeforeSchema(Checked, standard.TargetRecordBeforeSchemaTest):
    """Is refused before anything is written."""


class RecordMissingKeyProperty(Checked, standard.TargetRecordMissingKeyProperty):
    """Is refused before anything is written."""


class RecordMissingOptionalFields(Checked, standard.TargetRecordMissingOptionalFields):
    rows: ClassVar = {"record_missing_fields": by_id({"id": 1, "optional": "now you see me"}, {"id": 2})}


class SchemaNoProperties(Checked, standard.TargetSchemaNoProperties):
    rows: ClassVar = {
        "test_object_schema_with_properties": [
            {"object_store": {"id": 1, "metric": 187}},
            {"object_store": {"id": 2, "metric": 203}},
        ],
        "test_object_schema_no_properties": [
            {"object_store": {"id": 1, "metric": 1}},
            {"object_store": {"id": 2, "metric": 2}},
        ],
    }


class SchemaUpdates(Checked, standard.TargetSchemaUpdates):
    rows: ClassVar = {
        "test_schema_updates": by_id(
            {"id": 1, "a1": 101, "a2": "string1"},
            {"id": 2, "a1": 102, "a2": "string2", "a3": True},
            {"id": 3, "a1": 103, "a2": "string3", "a3": False, "a4": {"id": 1, "value": 1}, "a5": ["banana", "apple"]},
            {"id": 4, "a1": 104, "a2": "string4", "a3": True, "a4": {"id": 2, "value": 22}, "a5": ["orange", "pear"]},
            {"id": 5, "a1": 105, "a2": "string5", "a3": False, "a4": {"id": 3, "value": 33}, "a5": ["apple"], "a6": 985},
            {
                "id": 6,
                "a1": 106,
                "a2": "string6",
                "a3": True,
                "a4": {"id": 4, "value": 444},
                "a5": ["banana", "orange"],
                "a6": 341,
            },
        )
    }


class SpecialCharsInAttributes(Checked, standard.TargetSpecialCharsInAttributes):
    rows: ClassVar = {
        "test:SpecialChars!in?attributes": by_id(
            {"_id": "a2e98886", "d": {"env": "prod", "agent:type": "desktop", "agent:os:version": "10.13.1"}},
            key="_id",
        )
    }


CHECKED = [
    ArrayData,
    CamelcaseComplexSchema,
    Camelcase,
    CliPrints,
    DuplicateRecords,
    EncodedStringData,
    InvalidSchema,
    NoPrimaryKeys,
    OptionalAttributes,
    PrimaryKeyUpdates,
    RecordBeforeSchema,
    RecordMissingKeyProperty,
    RecordMissingOptionalFields,
    SchemaNoProperties,
    SchemaUpdates,
    SpecialCharsInAttributes,
]


def test_all_of_the_standard_tests_are_here() -> None:
    """A test that a new SDK adds must be given its rows."""
    assert {test.name for test in CHECKED} == {test.name for test in target_tests.tests}


TestStandard = TargetTestClassFactory(TargetKepler, config=CONFIG).new_test_class(
    custom_suites=[SingerTestSuite(kind="target", tests=CHECKED)],
    suite_config=SuiteConfig(),
    include_target_tests=False,
)

TestStates = TargetTestClassFactory(TargetKepler, config={**CONFIG, "batch_size_rows": 3}).new_test_class(
    custom_suites=[SingerTestSuite(kind="target", tests=[MultipleStateMessages])],
    suite_config=SuiteConfig(),
    include_target_tests=False,
)
