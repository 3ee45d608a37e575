"""Real processes for tests: Layer's programs, a scripted origin, exact clients, a collector, certificates.

Everything listens on loopback, everything waits for a condition within a bound, and everything that was started is
stopped. Nothing here knows what a test is about.
"""
