# Generated from ../_async by tools/generate_sync.py: change that, and run `make sdk-python-generate`.
"""The half for asyncio. The half for threads, `_sync`, is generated from it by tools/generate_sync.py."""
