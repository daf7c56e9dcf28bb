"""What libesedb and dissect.esedb read in the databases named on the command line, as JSON lines.

{"file", "table", "rows"}            a table and the count of its records, by libesedb
{"file", "table", "key", "values"}   a record by dissect.esedb, flagged deleted or not: the first 16 digits of the SHA-256
                                     of each value that is not NULL, "!" where the reader failed
{"file", "table", "row", "values"}   the same of the long values of a live record, by libesedb: dissect.esedb loses count
                                     of the chunks of a value that has more than two

With "--counts" before the names there are only the first kind and this:

{"file", "table", "records"}         a table and the count of its records by dissect.esedb, those flagged deleted with it
"""

import hashlib
import json
import os
import sys

import pyesedb
from dissect.esedb import EseDB
from dissect.esedb.table import COLUMN_TYPE_MAP

BIT = 1
# Long binary, long text: dissect.esedb gives compressed ones of 7-bit codes with zeros behind their end.
LONG = (11, 12)


class Plain:
    """In place of a type of columns: leaves the bytes of a value as they are stored."""

    parse = bytes

    def __init__(self, size):
        self.size = size


def say(**fields):
    print(json.dumps(fields))


def digest_of(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def long_values(record, columns):
    values = {}
    for number, column in enumerate(columns):
        if record.is_long_value(number):
            try:
                data = record.get_value_data_as_long_value(number).get_data()
            except OSError:
                continue
            values[column] = digest_of((data or b"").rstrip(b"\0").hex())
    return values


def counts(path, name, with_values):
    database = pyesedb.open(path)
    for number in range(database.get_number_of_tables()):
        table = database.get_table(number)
        rows = table.get_number_of_records()
        say(file=name, table=table.name, rows=rows)
        if not with_values:
            continue
        columns = [column.name for column in table.columns]
        for row in range(rows):
            values = long_values(table.get_record(row), columns)
            if values:
                say(file=name, table=table.name, row=row, values=values)
    database.close()


def shown(column, value):
    if isinstance(value, list):
        text = ",".join(shown(column, one) for one in value)
    elif column.type.value == BIT:
        text = "00" if bytes(value) == b"\0" else "ff"
    elif column.type.value in LONG:
        text = bytes(value).rstrip(b"\0").hex()
    else:
        text = bytes(value).hex()
    return text


def digest(column, record):
    try:
        value = record.get(column.name)
    except Exception:
        return "!"
    if value is None:
        return None
    return digest_of(shown(column, value))


def records(path, name):
    with open(path, "rb") as file:
        database = EseDB(file)
        tables = list(database.tables())
        for table in tables:
            for column in table.columns:
                _ = column.size, column.default
        for table in tables:
            for column in table.columns:
                column.__dict__["is_text"] = False
                column.__dict__["ctype"] = Plain(COLUMN_TYPE_MAP[column.type.value].size)
        for table in tables:
            for record in table.records():
                values = {column.name: digest(column, record) for column in table.columns}
                values = {name: value for name, value in values.items() if value is not None}
                say(file=name, table=table.name, key=bytes(record._node.key).hex(), values=values)


def counts_with_deleted(path, name):
    with open(path, "rb") as file:
        for table in EseDB(file).tables():
            say(file=name, table=table.name, records=sum(1 for _ in table.records()))


only_counts = sys.argv[1] == "--counts"
for path in sys.argv[2 if only_counts else 1 :]:
    name = os.path.basename(path)
    counts(path, name, not only_counts)
    if only_counts:
        counts_with_deleted(path, name)
    else:
        records(path, name)
