"""The official SDKs' own live tests, run against a base URL and compared test by test."""
