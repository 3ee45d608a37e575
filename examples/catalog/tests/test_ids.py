import pytest

from catalog.ids import MAX_ID_BYTES, document_id


@pytest.mark.parametrize("name", ["a", "x" * 64, "é" * 32, "0ad", "lib++-1.2"])
def test_an_id_that_fits_is_the_name(name):
    assert document_id(name) == name


@pytest.mark.parametrize("name", ["x" * 65, "é" * 33, "a" + "é" * 40, "🐋" * 17])
def test_a_longer_name_is_shortened_to_at_most_64_bytes_and_always_alike(name):
    identifier = document_id(name)
    assert MAX_ID_BYTES - 4 < len(identifier.encode()) <= MAX_ID_BYTES
    assert identifier == document_id(name)
    assert name.startswith(identifier.split("~")[0])


def test_long_names_that_begin_alike_stay_apart():
    assert document_id("x" * 100 + "a") != document_id("x" * 100 + "b")


def test_the_shortening_never_changes():
    # Written down once: another answer would load every long name a second time.
    assert document_id("x" * 65) == "x" * 31 + "~" + "9537c5fdf120482f7d58d25e9ed583f5"
