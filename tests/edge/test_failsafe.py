"""Fail-safe values: set once, when the hub is gone, of what was commanded."""

from citytwin_edge.failsafe import AGAIN_NS, FailSafe, Secure

SECOND = 10**9


class Scene:
    def __init__(self, **last):
        self.now, self.there, self.taken = 5 * SECOND, True, True
        self.last, self.done = dict(last), []
        points = {"pump": Secure(0.0, 60 * SECOND), "valve": Secure(100.0, 10 * SECOND)}
        self.failsafe = FailSafe(
            points,
            connected=lambda: self.there,
            monotonic_ns=lambda: self.now,
            last_set=self.last.get,
            secure=self.secure,
        )

    async def secure(self, point, value):
        self.done.append((point, value))
        if self.taken:
            self.last[point] = value
        return self.taken

    async def pass_(self, seconds):
        for _ in range(seconds):
            self.now += SECOND
            await self.failsafe.look()


async def test_each_point_is_set_once_after_its_own_time():
    scene = Scene(pump=40.0, valve=20.0)
    await scene.pass_(100)
    assert scene.done == [], "the hub is there"
    scene.there = False
    await scene.pass_(9)
    assert scene.done == []
    await scene.pass_(1)
    assert scene.done == [("valve", 100.0)]
    await scene.pass_(49)
    assert len(scene.done) == 1
    await scene.pass_(500)
    assert scene.done == [("valve", 100.0), ("pump", 0.0)]


async def test_a_hub_that_is_back_in_time_changes_nothing():
    scene = Scene(pump=40.0)
    for _ in range(5):
        scene.there = False
        await scene.pass_(59)
        scene.there = True
        await scene.pass_(1)
    assert scene.done == []


async def test_what_nobody_commanded_is_left_alone():
    scene = Scene(valve=100.0)
    scene.there = False
    await scene.pass_(200)
    assert scene.done == []


async def test_a_device_that_does_not_take_it_is_tried_again_slowly():
    scene = Scene(valve=20.0)
    scene.there, scene.taken = False, False
    await scene.pass_(10 + 2 * AGAIN_NS // SECOND)
    assert scene.done == [("valve", 100.0)] * 3
    scene.taken = True
    await scene.pass_(2 * AGAIN_NS // SECOND)
    assert len(scene.done) == 4


async def test_a_gateway_that_starts_without_its_hub_counts_from_its_start():
    scene = Scene(valve=20.0)
    scene.there = False
    await scene.pass_(10)
    assert scene.done == [("valve", 100.0)]
