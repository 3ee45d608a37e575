"""Errors say what is wrong, and whose word it is."""

from __future__ import annotations

import pytest
from build import compare, order_by, query, row
from contract import router, types

import grpc

CODE = grpc.StatusCode


def test_the_origins_errors_are_passed_on(api, namespace):
    failure = api.failure("GetSchema", router.GetSchemaRequest(namespace=namespace))
    assert (failure.code, failure.reason, failure.domain) == (CODE.NOT_FOUND, "ORIGIN_ERROR", "layer")
    assert failure.metadata["http_status"] == "404"
    assert namespace in failure.message
    assert failure.trailers["x-layer-served-by"] == "origin"


def test_a_wrong_request_names_its_fields(api, namespace):
    wrong = types.Filter(all_of=types.FilterList(filters=[compare("a", "EQ", 1), compare("", "EQ", 1)]))
    failure = api.failure("Query", query(namespace, order_by("id"), filters=wrong))
    assert (failure.code, failure.reason) == (CODE.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert failure.violations == {"query.filters.all_of.filters[1].comparison.attribute": "is required"}


@pytest.mark.parametrize("name", ["", "a/b", "..", "x" * 129])
def test_namespaces_have_plain_names(api, name):
    failure = api.failure("DeleteNamespace", router.DeleteNamespaceRequest(namespace=name))
    assert list(failure.violations) == ["namespace"]


def test_a_type_mismatch_is_the_origins_to_tell(api, namespace):
    api.call("Write", router.WriteRequest(namespace=namespace, upsert_rows=[row(1, a=1)]))
    failure = api.failure("Query", query(namespace, order_by("id"), filters=compare("a", "EQ", "text")))
    assert (failure.code, failure.reason) == (CODE.INVALID_ARGUMENT, "ORIGIN_ERROR")
    assert failure.metadata["http_status"] in {"400", "422"}


@pytest.mark.parametrize(("key", "code"), [("", CODE.UNAUTHENTICATED), ("wrong", None)])
def test_a_key_is_needed(api, namespace, key, code):
    failure = api.failure("GetSchema", router.GetSchemaRequest(namespace=namespace), key=key)
    assert failure.code in ({code} if code else {CODE.UNAUTHENTICATED, CODE.PERMISSION_DENIED})
    assert failure.reason in {"UNAUTHORIZED", "FORBIDDEN"}
    assert failure.trailers["x-layer-served-by"] == "layer"


def test_answers_say_who_made_them(api, namespace):
    _, metadata = api.with_metadata("ListNamespaces", router.ListNamespacesRequest(page_size=1))
    assert metadata["x-layer-served-by"] == "origin"
    assert "server-timing" in metadata


def test_a_filter_that_is_too_deep_is_refused(api, namespace):
    deep = compare("a", "EQ", 1)
    for _ in range(40):
        deep = types.Filter(negated=deep)
    failure = api.failure("Query", query(namespace, order_by("id"), filters=deep))
    assert failure.reason == "INVALID_REQUEST"
    assert list(failure.violations.values()) == ["filters and scores may nest at most 32 deep"]
