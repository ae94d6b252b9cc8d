"""The port's one meaning, on every store."""

from pathlib import Path

import pytest

from onebook.store.memory import MemoryStore
from onebook.store.port import Store
from onebook.store.sqlite.store import SqliteStore
from onebook.testing.store_contract import StoreContract


class TestSqlite(StoreContract):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = str(tmp_path / "trading.db")

    def make_store(self) -> Store:
        return SqliteStore(self.path)

    def make_reader(self, store: Store) -> Store:
        return SqliteStore(store.url, read_only=True)


class TestMemory(StoreContract):
    def make_store(self) -> Store:
        return MemoryStore()

    def make_reader(self, store: Store) -> Store:
        assert isinstance(store, MemoryStore)
        return MemoryStore(beside=store)
