"""What differs between asyncio and threads: racing two attempts, and work in the background.

All else of this package is written once, for asyncio, and its other half is generated (tools/generate_sync.py).
"""
