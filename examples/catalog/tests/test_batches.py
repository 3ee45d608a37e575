import orjson

from catalog.batches import MAX_BATCH_BYTES, MAX_BATCH_ROWS, batches


def test_every_row_comes_once_and_in_order():
    rows = [{"id": number} for number in range(1234)]
    cut = list(batches(rows))
    assert [row for batch in cut for row in batch] == rows
    assert max(map(len, cut)) == MAX_BATCH_ROWS


def test_a_batch_stays_under_its_size():
    rows = [{"id": number, "t": "x" * 100_000} for number in range(50)]
    cut = list(batches(rows))
    assert len(cut) == 5
    assert max(len(orjson.dumps(batch)) for batch in cut) <= MAX_BATCH_BYTES + 2


def test_a_row_larger_than_a_batch_goes_alone():
    large = {"id": 1, "t": "x" * (MAX_BATCH_BYTES + 1)}
    assert list(batches([{"id": 0}, large, {"id": 2}])) == [[{"id": 0}], [large], [{"id": 2}]]


def test_no_rows_are_no_batch():
    assert list(batches([])) == []
