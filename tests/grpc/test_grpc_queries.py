"""Query, MultiQuery, Explain, Recall."""

from __future__ import annotations

import pytest
from build import bm25, compare, kinds, nearest, order_by, plain, query, row, value, vector
from contract import router, types

ANIMALS = [
    row(1, title="blue whale", kind="mammal", year=1758, tags=["sea", "big"], vector=vector(0.1, 0.7)),
    row(2, title="walrus", kind="mammal", year=1758, tags=["sea"], vector=vector(0.1, 0.6)),
    row(3, title="blue tit", kind="bird", year=1790, tags=["air"], vector=vector(0.9, 0.1)),
    row(4, title="extinct dodo", kind="bird", vector=vector(0.8, -0.1)),
]


@pytest.fixture
def animals(api, namespace):
    text = types.AttributeConfig(type="string", full_text_search_enabled=True)
    glob = types.AttributeConfig(type="string", glob=True, filterable=True)
    api.call(
        "Write",
        router.WriteRequest(
            namespace=namespace,
            upsert_rows=ANIMALS,
            schema=kinds(title=text, kind=glob),
            distance_metric=types.DISTANCE_METRIC_COSINE_DISTANCE,
        ),
    )
    return namespace


def ids(api, request):
    return [plain(found.id) for found in api.call("Query", request).result.rows]


def test_nearest_vectors_have_distances_and_attributes(api, animals):
    request = query(
        animals, nearest("vector", 0.1, 0.6), 2, include_attributes=types.AttributeNames(names=["title", "vector"])
    )
    answer = api.call("Query", request)
    first, second = answer.result.rows
    assert (plain(first.id), plain(second.id)) == (2, 1)
    assert first.dist == pytest.approx(0.0, abs=1e-6)
    assert second.dist == pytest.approx(0.00027030706, abs=1e-6)
    assert first.attributes["title"] == value("walrus")
    assert first.attributes["vector"] == value(vector(0.1, 0.6))
    assert answer.billing.billable_logical_bytes_queried > 0
    assert answer.performance.approx_namespace_size == 4


def test_vectors_come_as_bytes_when_asked_for(api, animals):
    encoded = types.DenseVector(little_endian=bytes.fromhex("cdcccc3d9a99193f"))
    by_bytes = types.RankBy(vector_search=types.VectorSearch(attribute="vector", vector=encoded))
    request = query(
        animals,
        by_bytes,
        1,
        include_attributes=types.AttributeNames(names=["vector"]),
        vector_encoding=types.VECTOR_ENCODING_BYTES,
    )
    (first,) = api.call("Query", request).result.rows
    assert first.attributes["vector"].dense_vector == encoded


def test_exact_search_needs_and_uses_filters(api, animals):
    birds = compare("kind", "EQ", "bird")
    assert ids(api, query(animals, nearest("vector", 0.1, 0.6, method="KNN"), filters=birds)) == [3, 4]
    failure = api.failure("Query", query(animals, nearest("vector", 0.1, 0.6, method="KNN")))
    assert failure.reason == "ORIGIN_ERROR"


def test_text_scores_combine(api, animals):
    recent = types.Score(filter=compare("year", "GT", 1780))
    boosted = types.Score(product=types.WeightedScore(weight=5.0, score=recent))
    total = types.Score(sum=types.ScoreList(scores=[bm25("title", "blue"), boosted]))
    answer = api.call("Query", query(animals, types.RankBy(score=total)))
    assert [plain(found.id) for found in answer.result.rows] == [3, 1]
    assert answer.result.rows[0].dist > 5.0


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (compare("year", "EQ", None), [4]),
        (compare("year", "LTE", 1758), [1, 2, 4]),
        (compare("tags", "CONTAINS", "sea"), [1, 2]),
        (compare("tags", "CONTAINS_ANY", ["big", "air"]), [1, 3]),
        (compare("kind", "IN", ["bird"]), [3, 4]),
        (compare("kind", "GLOB", "m*"), [1, 2]),
        (types.Filter(negated=compare("kind", "EQ", "bird")), [1, 2]),
        (types.Filter(any_of=types.FilterList(filters=[compare("id", "EQ", 1), compare("id", "GTE", 4)])), [1, 4]),
        (types.Filter(all_of=types.FilterList(filters=[compare("id", "GT", 1), compare("kind", "EQ", "mammal")])), [2]),
        (
            types.Filter(
                tokens=types.TokenFilter(
                    attribute="title",
                    op=types.TOKEN_OPERATOR_CONTAINS_ALL_TOKENS,
                    operand=types.TextOperand(text="blue wh"),
                    last_as_prefix=True,
                )
            ),
            [1],
        ),
    ],
)
def test_filters_mean_what_they_say(api, animals, filters, expected):
    assert ids(api, query(animals, order_by("id"), filters=filters)) == expected


def test_orders_have_no_distance(api, animals):
    rows = api.call("Query", query(animals, order_by("title", "DESC"), 2)).result.rows
    assert [plain(found.id) for found in rows] == [2, 4]
    assert not rows[0].HasField("dist")


def test_documents_are_counted_and_summed_by_group(api, animals):
    count = types.Aggregation(count=types.Count())
    years = types.Aggregation(sum=types.Sum(attribute="year"))
    request = query(
        animals,
        limit=None,
        aggregate_by={"n": count, "years": years},
        group_by=[types.GroupKey(attribute="kind")],
    )
    groups = api.call("Query", request).result.aggregation_groups
    assert [dict(group.key) for group in groups] == [{"kind": value("bird")}, {"kind": value("mammal")}]
    assert [group.aggregations["n"] for group in groups] == [value(2), value(2)]
    assert [group.aggregations["years"] for group in groups] == [value(1790), value(3516)]
    alone = api.call("Query", query(animals, limit=None, aggregate_by={"n": count}))
    assert dict(alone.result.aggregations) == {"n": value(4)}


def test_tags_are_grouped_each_on_its_own(api, animals):
    each = types.GroupKey(for_each_unique=types.ForEachUnique(label="tag", attribute="tags"))
    count = types.Aggregation(count=types.Count())
    request = query(animals, limit=3, aggregate_by={"n": count}, group_by=[each])
    groups = api.call("Query", request).result.aggregation_groups
    assert [group.key["tag"] for group in groups] == [value(None), value("air"), value("big")]


def test_attributes_are_computed(api, animals):
    distance = types.VectorDistance(attribute="vector", vector=vector(0.1, 0.6))
    highlight = types.Highlight(attribute="title", include_offsets=types.HIGHLIGHT_OFFSET_UNIT_UTF8)
    request = query(
        animals,
        types.RankBy(score=bm25("title", "walrus")),
        compute_attributes={
            "distance": types.ComputedAttribute(vector_dist=distance),
            "shown": types.ComputedAttribute(highlight=highlight),
        },
    )
    (found,) = api.call("Query", request).result.rows
    assert found.attributes["distance"].float_value == pytest.approx(0.0, abs=1e-6)
    (fragment,) = found.attributes["shown"].highlights.fragments
    assert fragment.text == "walrus"
    assert (fragment.match_ranges[0].start, fragment.match_ranges[0].end) == (0, 6)


def test_several_queries_are_answered_in_order_or_fused(api, animals):
    by_text = query(animals, types.RankBy(score=bm25("title", "whale")), 5).query
    by_vector = query(animals, nearest("vector", 0.1, 0.7), 5).query
    apart = api.call("MultiQuery", router.MultiQueryRequest(namespace=animals, queries=[by_text, by_vector]))
    assert [len(result.rows) for result in apart.results] == [1, 4]
    rrf = types.ReciprocalRankFusion(rank_constant=60)
    request = router.MultiQueryRequest(namespace=animals, queries=[by_text, by_vector], rrf=rrf, limit=1)
    (fused,) = api.call("MultiQuery", request).results
    (best,) = fused.rows
    assert plain(best.id) == 1
    assert best.dist == pytest.approx(2 / 61, abs=1e-6)


def test_a_plan_is_explained(api, animals):
    request = router.ExplainRequest(namespace=animals, query=query(animals, order_by("id")).query)
    assert api.call("Explain", request).plan_text


def test_recall_is_measured(api, animals):
    request = router.RecallRequest(namespace=animals, num=1, top_k=2, include_ground_truth=True)
    answer = api.call("Recall", request)
    assert (answer.avg_recall, answer.avg_exhaustive_count, answer.avg_ann_count) == (1.0, 2.0, 2.0)
    (truth,) = answer.ground_truth
    assert len(truth.query_vector.floats.values) == 2
    assert truth.nearest_neighbors[0].attributes["vector"].dense_vector == truth.query_vector


def test_freshness_can_be_chosen(api, animals):
    eventual = types.Consistency(level=types.CONSISTENCY_LEVEL_EVENTUAL, max_staleness_seconds=1)
    assert ids(api, query(animals, order_by("id"), 1, consistency=eventual)) == [1]
