"""Write."""

from __future__ import annotations

import struct
import uuid

import pytest
from build import compare, id_of, order_by, plain, query, row, value, vector
from contract import router, types


def all_rows(api, namespace):
    rows = api.call("Query", query(namespace, order_by("id"), include_all_attributes=True)).result.rows
    return {plain(found.id): dict(found.attributes) for found in rows}


def write(api, namespace, **fields):
    return api.call("Write", router.WriteRequest(namespace=namespace, **fields))


def test_rows_are_upserted_patched_and_deleted(api, namespace):
    rows = [row(number, title=f"t{number}", n=number) for number in range(1, 4)]
    answer = write(api, namespace, upsert_rows=rows)
    assert (answer.rows_affected, answer.rows_upserted) == (3, 3)
    assert answer.message and answer.billing.HasField("query") is False
    answer = write(api, namespace, patch_rows=[row(2, n=None)], deletes=[id_of(3)], return_affected_ids=True)
    assert [plain(one) for one in answer.patched_ids] == [2]
    assert [plain(one) for one in answer.deleted_ids] == [3]
    assert all_rows(api, namespace) == {1: {"title": value("t1"), "n": value(1)}, 2: {"title": value("t2")}}


def test_columns_carry_packed_vectors(api, namespace):
    packed = types.DenseVectorColumn(dimensions=2, little_endian=struct.pack("<4f", 0.1, 0.7, 0.5, 0.25))
    titles = types.ValueList(values=[value("a"), value(None)])
    columns = types.Columns(
        ids=[id_of(1), id_of(2)],
        columns={"vector": types.Column(dense_vectors=packed), "title": types.Column(values=titles)},
    )
    write(api, namespace, upsert_columns=columns, distance_metric=types.DISTANCE_METRIC_COSINE_DISTANCE)
    assert all_rows(api, namespace) == {
        1: {"title": value("a"), "vector": value(vector(0.1, 0.7))},
        2: {"vector": value(vector(0.5, 0.25))},
    }


def test_conditions_keep_what_they_do_not_match(api, namespace):
    write(api, namespace, upsert_rows=[row(1, version=5)])
    older = compare("version", "LT", 5)
    assert write(api, namespace, upsert_rows=[row(1, version=6)], upsert_condition=older).rows_affected == 0
    older = compare("version", "LT", 6)
    assert write(api, namespace, upsert_rows=[row(1, version=6)], upsert_condition=older).rows_affected == 1
    assert all_rows(api, namespace) == {1: {"version": value(6)}}


def test_documents_are_changed_and_deleted_by_filter(api, namespace):
    write(api, namespace, upsert_rows=[row(number, n=number, big=False) for number in range(5)])
    patch = router.PatchByFilter(filters=compare("n", "GTE", 3), patch={"big": value(True)})
    answer = write(api, namespace, patch_by_filter=patch)
    assert answer.rows_patched == 2
    answer = write(api, namespace, delete_by_filter=compare("n", "LT", 3), return_affected_ids=True)
    assert sorted(plain(one) for one in answer.deleted_ids) == [0, 1, 2]
    assert set(all_rows(api, namespace)) == {3, 4}
    assert all_rows(api, namespace)[3]["big"] == value(True)


@pytest.mark.parametrize("how", ["copy_from_namespace", "branch_from_namespace"])
def test_namespaces_are_copied_and_branched(api, namespace, how):
    source = f"grpc-source-{uuid.uuid4().hex[:12]}"
    message = {"copy_from_namespace": router.CopyFromNamespace, "branch_from_namespace": router.BranchFromNamespace}
    write(api, source, upsert_rows=[row(1, a=1)])
    try:
        write(api, namespace, **{how: message[how](source_namespace=source)})
        assert all_rows(api, namespace) == {1: {"a": value(1)}}
    finally:
        api.call("DeleteNamespace", router.DeleteNamespaceRequest(namespace=source))


def test_layers_own_attributes_are_neither_shown_nor_set(api, namespace):
    write(api, namespace, upsert_rows=[row(1, a=1)])
    assert all_rows(api, namespace) == {1: {"a": value(1)}}
    by_name = types.AttributeNames(names=["_hevlayer_upserted_at"])
    (found,) = api.call("Query", query(namespace, order_by("id"), include_attributes=by_name)).result.rows
    assert found.attributes["_hevlayer_upserted_at"].int_value > 1_700_000_000_000
    failure = api.failure(
        "Write", router.WriteRequest(namespace=namespace, upsert_rows=[row(2, _hevlayer_upserted_at=1)])
    )
    assert failure.reason == "VALIDATION_ERROR"


def test_a_large_write_passes(api, namespace):
    dimensions, count = 256, 4000
    packed = struct.pack(f"<{dimensions}f", *([0.25] * dimensions)) * count
    columns = types.Columns(
        ids=[id_of(number) for number in range(count)],
        columns={
            "vector": types.Column(dense_vectors=types.DenseVectorColumn(dimensions=dimensions, little_endian=packed))
        },
    )
    assert len(packed) > 4_000_000
    answer = write(api, namespace, upsert_columns=columns, distance_metric=types.DISTANCE_METRIC_COSINE_DISTANCE)
    assert answer.rows_upserted == count
