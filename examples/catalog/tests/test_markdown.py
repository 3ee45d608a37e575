from pathlib import Path

import pytest

from catalog.markdown import project_collection, sections
from catalog.model import CatalogError

SOURCE = """Before any heading.

# First
text one

```sh
# not a heading
```

Second
------
## First
"""


def test_a_file_is_cut_at_its_headings_and_not_inside_code():
    rows = sections("docs/a.md", SOURCE)
    assert [(row["id"], row["line"]) for row in rows] == [
        ("docs/a.md#docs/a.md", 1),
        ("docs/a.md#First", 3),
        ("docs/a.md#Second", 10),
        ("docs/a.md#First-2", 12),
    ]
    assert "# not a heading" in rows[1]["text"]
    assert "Before any heading." not in rows[1]["text"]


def test_headings_named_like_a_numbered_one_keep_unique_ids():
    ids = [row["id"] for row in sections("a.md", "# A-2\n# A\n# A\n")]
    assert len(ids) == len(set(ids)) == 3


def test_an_empty_file_has_no_sections():
    assert sections("a.md", "\n\n") == []


def test_built_and_hidden_folders_and_huge_files_are_left_out(tmp_path: Path):
    for name in ("README.md", "target/x.md", ".git/x.md", "docs/b.md", "docs/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"# {name}\n")
    (tmp_path / "huge.md").write_text("x" * (1024 * 1024 + 1))
    assert [row["path"] for row in project_collection(tmp_path).rows] == ["README.md", "docs/b.md"]


def test_a_folder_without_documents_says_what_to_do(tmp_path: Path):
    with pytest.raises(CatalogError, match="--catalog FILE.jsonl"):
        project_collection(tmp_path)
