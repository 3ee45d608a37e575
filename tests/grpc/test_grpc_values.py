"""Every kind of value is written and read back as it was."""

from __future__ import annotations

import datetime

import pytest
from build import kinds, order_by, plain, query, row, value, vector
from contract import router, types
from google.protobuf.timestamp_pb2 import Timestamp

UUID = "7a8f6d1e-3b0c-4c57-9a55-0f5f5f0a1b2c"
TIME = Timestamp()
TIME.FromDatetime(datetime.datetime(2024, 3, 2, 12, 30, 0, 5000, tzinfo=datetime.UTC))

SCALARS = {
    "string": types.Value(string_value='tab\t"quoted" ü 🐡'),
    "int": types.Value(int_value=-(2**63)),
    "uint": types.Value(uint_value=2**64 - 1),
    "float": types.Value(float_value=0.1),
    "bool": types.Value(bool_value=True),
    "bytes": types.Value(bytes_value=b"\x00\xff\x01"),
    "datetime": types.Value(datetime_value=TIME),
    "uuid": types.Value(uuid_value=UUID),
    "[]string": types.Value(string_array=types.StringArray(values=["a", "b"])),
    "[]int": types.Value(int_array=types.IntArray(values=[-1, 2**62])),
    "[]uint": types.Value(uint_array=types.UintArray(values=[1, 2**64 - 1])),
    "[]float": types.Value(float_array=types.FloatArray(values=[0.1, -2.5])),
    "[]bool": types.Value(bool_array=types.BoolArray(values=[True, False])),
    "[]datetime": types.Value(datetime_array=types.DatetimeArray(values=[TIME])),
    "[]uuid": types.Value(uuid_array=types.UuidArray(values=[UUID])),
}


def only_row(api, request):
    (found,) = api.call("Query", request).result.rows
    return found


@pytest.mark.parametrize(("kind", "written"), SCALARS.items(), ids=SCALARS.keys())
def test_a_value_comes_back_as_it_was(api, namespace, kind, written):
    api.call("Write", router.WriteRequest(namespace=namespace, upsert_rows=[row(1, a=written)], schema=kinds(a=kind)))
    request = query(namespace, order_by("id"), include_all_attributes=True, attribute_types={"a": kind})
    assert only_row(api, request).attributes["a"] == written


def test_without_declared_types_values_are_what_json_shows(api, namespace):
    schema = kinds(time="datetime", raw="bytes", uuid="uuid")
    rows = [row(1, time=SCALARS["datetime"], raw=SCALARS["bytes"], uuid=SCALARS["uuid"], none=None)]
    api.call("Write", router.WriteRequest(namespace=namespace, upsert_rows=rows, schema=schema))
    attributes = only_row(api, query(namespace, order_by("id"), include_all_attributes=True)).attributes
    assert attributes["time"].string_value.startswith("2024-03-02T12:30:00.005")
    assert attributes["raw"] == value("AP8B")
    assert attributes["uuid"] == value(UUID)
    assert "none" not in attributes


@pytest.mark.parametrize("id_", [0, 2**53 + 1, 2**64 - 1, "text", UUID])
def test_ids_keep_every_digit(api, namespace, id_):
    write = router.WriteRequest(namespace=namespace, upsert_rows=[row(id_, a=1)], return_affected_ids=True)
    answer = api.call("Write", write)
    assert [plain(one) for one in answer.upserted_ids] == [id_]
    assert plain(only_row(api, query(namespace, order_by("id"))).id) == id_


@pytest.mark.parametrize("kind", ["[3]f32", "[3]f16"])
def test_declared_vectors_come_back(api, namespace, kind):
    config = types.AttributeConfig(type=kind, ann_enabled=True)
    request = router.WriteRequest(
        namespace=namespace,
        upsert_rows=[row(1, e=vector(0.5, -1.0, 2.25))],
        schema=kinds(e=config),
        distance_metric=types.DISTANCE_METRIC_EUCLIDEAN_SQUARED,
    )
    api.call("Write", request)
    read = query(namespace, order_by("id"), include_all_attributes=True, attribute_types={"e": kind})
    assert only_row(api, read).attributes["e"] == value(vector(0.5, -1.0, 2.25))


def test_sparse_vectors_come_back(api, namespace):
    sparse = types.SparseVector(weights={"x": 0.5, "y": 2.0})
    config = types.AttributeConfig(type="{}f16", sparse_knn=types.SparseKnn())
    rows = [row(1, s=types.Value(sparse_vector=sparse))]
    api.call("Write", router.WriteRequest(namespace=namespace, upsert_rows=rows, schema=kinds(s=config)))
    search = types.SparseVectorSearch(attribute="s", vector=types.SparseVector(weights={"y": 0.5}))
    found = only_row(api, query(namespace, types.RankBy(sparse_search=search), include_all_attributes=True))
    assert found.dist == pytest.approx(1.0)
    assert found.attributes["s"].sparse_vector == sparse


def test_several_vectors_come_back(api, namespace):
    multi = types.MultiVector(vectors=[vector(1.0, 0.5), vector(0.25, 2.0)])
    rows = [row(1, m=types.Value(multi_vector=multi))]
    api.call("Write", router.WriteRequest(namespace=namespace, upsert_rows=rows, schema=kinds(m="[][2]f32")))
    found = only_row(api, query(namespace, order_by("id"), include_all_attributes=True))
    assert found.attributes["m"].multi_vector == multi
