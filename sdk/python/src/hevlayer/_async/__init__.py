"""The half for asyncio. The half for threads, `_sync`, is generated from it by tools/generate_sync.py."""
