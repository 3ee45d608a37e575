"""The declarative suite: the same requests to the origin alone and through the router, the answers compared."""
