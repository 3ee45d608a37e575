"""Functions over HTTP, through the router: the published client and its worker loop, as they are."""

from __future__ import annotations

from typing import Any

import pytest

from harness.pipelines_http import PipelinesMesh
from harness.programs import KEY

hevlayer = pytest.importorskip("hevlayer", reason="the published client needs Python 3.11")


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Of the test's own function and namespace."""
    return request.node.name[-60:].replace("_", "-")


def fill(pipelines: PipelinesMesh, namespace: str, ids: list[Any]) -> None:
    rows = [{"id": one, "vector": [1.0, 2.0], "title": f"title {one}"} for one in ids]
    body = {"upsert_rows": rows, "distance_metric": "cosine_distance"}
    assert pipelines.ask("POST", f"/v2/namespaces/{namespace}", body).status_code == 200


def attribute(pipelines: PipelinesMesh, namespace: str, name: str) -> dict[Any, Any]:
    query = {"rank_by": ["id", "asc"], "limit": 1000, "include_attributes": [name]}
    rows = pipelines.ask("POST", f"/v2/namespaces/{namespace}/query", query).json()["rows"]
    return {row["id"]: row.get(name) for row in rows}


def spec(namespace: str, **more: Any) -> dict[str, Any]:
    return {"target_namespaces": [namespace], "inputs": ["title"], "worker": {}, **more}


@pytest.mark.parametrize("ids", [["a", "b", "c"], [1, 2, 3]], ids=["text", "integers"])
def test_the_published_worker_does_every_row_once(pipelines: PipelinesMesh, name: str, ids: list[Any]) -> None:
    name = name.replace("[", "-").replace("]", "")
    fill(pipelines, name, ids)
    seen: list[str] = []

    @hevlayer.udf(id=name, output="shout")
    def shout(title: str) -> str:
        seen.append(title)
        return title.upper()

    async def work(client: Any) -> None:
        made = await client.create_udf({"id": name, "spec": spec(name)})
        assert (made.id, made.paused, made.spec.version, made.spec.inputs) == (name, False, "v1", ["title"])
        found = await client.discover_udf(name, {})
        assert found.namespaces == [name]
        while (await client.get_udf_status(name)).pending_count:
            await hevlayer.run_udf_worker(shout, api_key=KEY, base_url=pipelines.router.url, worker_id="w", once=True)
        status = await client.get_udf_status(name)
        assert (status.pending_count, status.processing_count, status.failed_count) == (0, 0, 0)
        assert (await client.discover_udf(name, {})).enqueued == 0

    pipelines.published(work)
    assert sorted(seen) == sorted(f"title {one}" for one in ids)
    assert attribute(pipelines, name, "shout") == {one: f"title {one}".upper() for one in ids}


def test_a_worker_that_fails_is_tried_again_or_gives_up(pipelines: PipelinesMesh, name: str) -> None:
    fill(pipelines, name, ["a", "b"])

    @hevlayer.udf(id=name, output="out")
    def work_on(title: str) -> str:
        raise hevlayer.PermanentError("not this one") if title.endswith("a") else hevlayer.TransientError("later")

    async def work(client: Any) -> None:
        retry = {"max_attempts": 1, "initial_backoff_seconds": 1, "max_backoff_seconds": 1}
        await client.create_udf({"id": name, "spec": spec(name, retry=retry)})
        await client.discover_udf(name, {"namespaces": [name]})
        while (await client.get_udf_status(name)).pending_count:
            await hevlayer.run_udf_worker(work_on, api_key=KEY, base_url=pipelines.router.url, once=True)
        assert (await client.get_udf(name)).status.failed_count == 2
        letters = pipelines.ask("GET", f"/v2/udfs/{name}/dead-letters").json()["dead_letters"]
        assert {one["id"]: (one["reason"], one["message"]) for one in letters} == {
            "a": ("permanent", "not this one"),
            "b": ("attempts", "later"),
        }
        assert (await client.reset_failed_udf(name)).updated == 2
        assert (await client.get_udf_status(name)).pending_count == 2

    pipelines.published(work)


def test_functions_are_changed_stopped_and_deleted(pipelines: PipelinesMesh, name: str) -> None:
    fill(pipelines, name, ["a"])

    async def work(client: Any) -> None:
        first = await client.upsert_udf(name, {"spec": spec(name, filter=["title", "NotEq", "x"])})
        assert first.spec.filter == ["title", "NotEq", "x"]
        with pytest.raises(hevlayer.HevlayerError) as taken:
            await client.create_udf({"id": name, "spec": spec(name)})
        assert taken.value.status_code == 409
        assert name in [one.id for one in (await client.list_udfs()).udfs]
        await client.discover_udf(name, {})
        assert (await client.pause_udf(name)).paused
        assert (await client.claim_udf_items(name, {"worker_id": "w"})).items == []
        assert not (await client.resume_udf(name)).paused
        items = (await client.claim_udf_items(name, {"worker_id": "w", "lease_seconds": 60})).items
        assert [(one.id, one.input) for one in items] == [("a", {"title": "title a"})]
        refs = [{"namespace": name, "id": "a"}]
        assert (await client.heartbeat_udf_items(name, {"worker_id": "w", "items": refs})).updated == 1
        assert (await client.heartbeat_udf_items(name, {"worker_id": "other", "items": refs})).updated == 0
        assert (await client.delete_udf(name)).status == "ok"
        with pytest.raises(hevlayer.HevlayerError) as gone:
            await client.get_udf(name)
        assert gone.value.status_code == 404

    pipelines.published(work)


def test_an_older_claim_cannot_complete(pipelines: PipelinesMesh, name: str) -> None:
    fill(pipelines, name, ["a"])
    assert pipelines.ask("POST", "/v2/udfs", {"id": name, "spec": spec(name)}).status_code == 200
    pipelines.ask("POST", f"/v2/udfs/{name}/discover", {})
    claim = pipelines.ask("POST", f"/v2/udfs/{name}/claim", {"worker_id": "w", "wait_ms": 2000}).json()
    item = {key: claim["items"][0][key] for key in ("namespace", "id", "token")}
    late = {"worker_id": "w", "items": [{**item, "token": item["token"] - 1, "attributes": {"out": "late"}}]}
    answer = pipelines.ask("POST", f"/v2/udfs/{name}/items/complete", late).json()
    assert (answer["updated"], answer["results"][0]["status"]) == (0, "stale_token")
    good = {"worker_id": "w", "items": [{**item, "attributes": {"out": "good"}}]}
    assert pipelines.ask("POST", f"/v2/udfs/{name}/items/complete", good).json()["updated"] == 1
    assert attribute(pipelines, name, "out") == {"a": "good"}
