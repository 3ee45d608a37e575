"""sentence-transformers as layer-bench drives it: a command a line, a line for an answer."""

import json
import sys
import time

import sentence_transformers
import torch

folder, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
model = sentence_transformers.SentenceTransformer(folder, device="cpu")
versions = f"sentence-transformers {sentence_transformers.__version__}, torch {torch.__version__}"
texts = []


def say(answer):
    print(json.dumps(answer), flush=True)


say(f"{versions}, {torch.get_num_threads()} threads, batches of 32")
for line in sys.stdin:
    command = json.loads(line)
    if isinstance(command, list):
        texts = command
        say(len(texts))
    elif command == "vectors":
        say(model.encode(texts, batch_size=32, show_progress_bar=False).tolist())
    else:
        began = time.perf_counter()
        model.encode(texts, batch_size=32, show_progress_bar=False)
        say(time.perf_counter() - began)
