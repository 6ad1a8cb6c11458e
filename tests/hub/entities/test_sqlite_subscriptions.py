"""Subscriptions in SQLite."""

import pytest

from citytwin.errors import StoreError
from citytwin_hub.entities.errors import AlreadyExists
from citytwin_hub.entities.sqlite_subscriptions import Passed, SqliteSubscriptions
from citytwin_hub.entities.subscriptions import Progress
from tests.hub.entities.subscribing import subscription


@pytest.fixture
def opened(tmp_path):
    stores = []

    def again():
        stores.append(SqliteSubscriptions(tmp_path / "subscriptions.db"))
        return stores[-1]

    yield again
    for store in stores:
        store.close()


def test_what_was_put_is_there_after_a_restart_in_its_order(opened):
    store = opened()
    assert store.passed() is None
    for number in (2, 1, 3):
        store.add(subscription(number), Progress(cursor=number))
    store.put(subscription(1, name="changed"), Progress())
    store.remove(subscription(3).id)
    store.save({subscription(2).id: Progress(times_sent=7)}, Passed(42))
    again = opened()
    assert again.passed() == Passed(42, None)
    again.save({}, Passed(43, 10**18))
    assert opened().passed() == Passed(43, 10**18)
    assert again.all() == [
        (subscription(2), Progress(times_sent=7)),
        (subscription(1, name="changed"), Progress()),
    ]


def test_an_identifier_is_there_once(opened):
    store = opened()
    store.add(subscription(), Progress())
    with pytest.raises(AlreadyExists, match="Subscription:1 already"):
        store.add(subscription(name="other"), Progress())
    assert store.all()[0].subscription.name == ""


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "subscriptions.db").write_text("this is not a database, and long enough to show it")
    with pytest.raises(StoreError, match=r"subscriptions\.db cannot be used"):
        SqliteSubscriptions(tmp_path / "subscriptions.db")
