import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


@pytest.fixture
def said() -> list[str]:
    """What the code under test told the reader."""
    return []
