"""A LangGraph store on Kepler, the Postgres extension."""

from .store import AsyncKeplerStore, KeplerStore

__all__ = ["AsyncKeplerStore", "KeplerStore"]
