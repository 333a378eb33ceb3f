"""Orders are carried out when there is time, and handed out in turn."""

from __future__ import annotations

from fuzz.case import Case, encode_case
from fuzz.engines.stock import Made, Stock
from tests.watchdog.fake_rig import case


class Orders:
    """Makes the cases "a1", "a2", ... of an order "a"."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def of(self, name: str) -> Made:
        self.made.append(f"{name}{sum(one.startswith(name) for one in self.made) + 1}")
        made: Case = case(self.made[-1])
        return encode_case(made), made


def test_what_is_not_made_yet_is_made_at_once() -> None:
    stock, orders = Stock(), Orders()
    data, made = stock.trade(lambda: orders.of("a"))
    assert (data, made) == (encode_case(case("a1")), case("a1"))
    assert stock.trade(lambda: orders.of("b"))[1] == case("b1")


def test_what_was_ordered_is_made_when_there_is_time_and_handed_out_in_turn() -> None:
    stock, orders = Stock(), Orders()
    assert not stock.make()
    for name in "ab":
        stock.trade(lambda name=name: orders.of(name))  # type: ignore[misc]
    assert [stock.make(), stock.make(), stock.make()] == [True, True, False]
    handed = [stock.trade(lambda name=name: orders.of(name))[1] for name in "cd"]  # type: ignore[misc]
    assert handed == [case("a2"), case("b2")]
    assert orders.made == ["a1", "b1", "a2", "b2"]


def test_orders_that_nobody_has_time_for_do_not_pile_up() -> None:
    stock, orders = Stock(), Orders()
    for _ in range(1000):
        stock.trade(lambda: orders.of("a"))
    made = 0
    while stock.make():
        made += 1
    assert 0 < made < 100
