"""An app's capacity from a store that holds a week: the peak, the advice, its reasons to give none, and the quota."""

import threading

import pytest
from msgspec.structs import replace

import busy_week
from busy_week import WEEK_S, load
from celeriac.adapters.sql.recorder import SqlRecorder
from celeriac.app import inquiry_desk
from celeriac.app.app_queries import AppQueries
from celeriac.app.capacity_queries import QUOTA_KEPT_S, CapacityQueries, Meter
from celeriac.app.capacity_queries import Quotas as KeptQuotas
from celeriac.app.inquiry_desk import InquiryDesk
from celeriac.app.sources import Source, Sources
from celeriac.core.apps import Room
from celeriac.core.errors import ConflictError, MissingError, UnreachableError
from celeriac.core.memory import Board, Changes
from celeriac.core.model import App, Process
from celeriac.core.redact import Payloads, Redaction
from celeriac.ports import Batch
from core.builders import CLUSTER, stream

ORDERS = App("cf", "app-guid", busy_week.APP, "STARTED", (Process("worker", 3),))
AGO_S = 3 * 86400.0


class Quotas:
    """The part of a platform that tells its quotas."""

    def __init__(self):
        self.rooms = (Room("of the organisation", 9, 4096), Room("of the space", 5))
        self.asked, self.hangs = [], None

    def room(self, app):
        self.asked.append(app.name)
        if self.hangs:
            self.hangs.wait(30)
        if isinstance(self.rooms, Exception):
            raise self.rooms
        return self.rooms


class Shop:
    """One cluster's store, filled by the test, and what is read of it."""

    def __init__(self, store, history, clock):
        self.now = clock() // 3600 * 3600 + 1800
        clock.now = self.now
        self.peak_at = self.now - AGO_S
        self.recorder = SqlRecorder(history._database, Redaction(Payloads.FULL))
        self.journal, self.quotas = store.journal(), Quotas()
        self.board(ORDERS)
        sources = Sources(
            [Source(CLUSTER, "redis", store.history(CLUSTER), store.tasks(CLUSTER), store.charts(CLUSTER))]
        )
        meters = {CLUSTER: Meter(store.loads(CLUSTER), InquiryDesk(self.quotas))}
        apps = AppQueries(sources, self.journal, clock)
        self.queries = CapacityQueries(apps, meters, KeptQuotas(), clock)
        self.bare = CapacityQueries(apps, {CLUSTER: Meter(store.loads(CLUSTER))}, KeptQuotas(), clock)

    def board(self, *apps):
        self.journal.commit(Changes(board=Board(CLUSTER, self.now, "well", "auto", apps=apps)))

    def week(self, **fields):
        self.record(loads=busy_week.week(self.now, self.peak_at, **fields))

    def record(self, *tasks, **fields):
        self.recorder.record(Batch(stream(now=self.now), [replace(one) for one in tasks], **fields))

    def work(self, at=None, minutes=30, **fields):
        """Store tasks that ran for so long, around the peak unless said otherwise."""
        middle = self.peak_at if at is None else at
        given = {"per_s": 2.5, "mean_s": 4.0, **fields}
        self.record(*busy_week.tasks(middle - 30 * minutes, middle + 30 * minutes, **given))

    def worker(self, **fields):
        (found,) = self.queries.capacity(busy_week.APP, **fields).processes
        return found


@pytest.fixture
def shop(store, history, clock):
    return Shop(store, history, clock)


def test_the_peak_of_a_week_and_what_it_needs(shop):
    shop.week()
    shop.work()
    found = shop.queries.capacity(busy_week.APP)
    (one,) = found.processes
    assert (one.peak.busy, one.peak.slots, one.peak.instances, one.peak.waiting) == (11, 12, 3, 5)
    assert one.peak.at.timestamp() == shop.peak_at // 60 * 60
    assert one.measured.arriving_per_s == pytest.approx(2.5, rel=0.1)
    assert one.measured.slot_s == pytest.approx(4.0, rel=0.15)
    assert (one.measured.until - one.measured.since).total_seconds() == 900
    assert (one.needed, one.spare, one.unknown) == (3, 4, None)
    assert [(row.instances, row.now) for row in one.expected] == [(2, False), (3, True), (4, False), (5, False)]
    assert found.quota.instances_left == 5
    assert shop.quotas.asked == [busy_week.APP]
    day = one.peak.at.strftime("%a %H:%M UTC")
    assert one.advice.startswith(
        f"3 instances of 4 slots were enough at the peak ({day}: 11 of 12 slots busy, p95 wait "
    )
    assert one.advice.endswith(
        "for p95 under 30 s at that peak 3 are needed, 4 with one lost; the quota leaves 5 more, and 4,096 MB of memory "
        "for them."
    )
    assert found.advice == one.advice


def test_a_shorter_objective_needs_more_and_is_told(shop):
    shop.week()
    shop.work()
    one = shop.worker(wait_s=0.5)
    assert one.needed > 3
    assert "were not enough at the peak" in one.advice
    assert "for p95 under 500 ms" in one.advice


def test_hours_are_those_of_the_week_and_gaps_are_no_zeros(shop):
    gap = (shop.now // 3600 * 3600 - 2 * 86400, shop.now // 3600 * 3600 - 2 * 86400 + 7200)
    shop.week(gap=gap)
    one = shop.worker()
    assert len(one.hours) == 169
    unseen = [each for each in one.hours if each.busy is None]
    assert [each.at.timestamp() for each in unseen] == [gap[0], gap[0] + 3600]
    assert all(each.minutes == 0 and each.slots is None for each in unseen)
    assert max(each.most or 0.0 for each in one.hours) == 11
    assert one.seen == "seen 6.92 days of 7 days"


def test_a_short_history_is_told(shop):
    shop.record(loads=[load(shop.now - 60 * n, 2) for n in range(1, 181)])
    one = shop.worker()
    assert one.seen == "seen 3 h of 7 days"
    assert one.seen_s == 3 * 3600


def test_what_was_not_seen_does_not_thin_out_what_was(shop):
    """Celeriac began five minutes ago, in the midst of the work: the rates are those of five minutes."""
    shop.peak_at = shop.now - 150
    shop.record(loads=[load(shop.now - 60 * n, 10) for n in range(1, 6)])
    shop.work(minutes=5)
    one = shop.worker()
    assert (one.measured.until - one.measured.since).total_seconds() == 300
    assert one.measured.arriving_per_s == pytest.approx(2.5, rel=0.15)
    assert one.measured.explained == pytest.approx(10, rel=0.2)
    assert one.unknown is None


def test_a_restart_in_the_last_minute_takes_no_slots_away(shop):
    shop.week()
    shop.record(loads=[load(shop.now - 30, 2, slots=5), load(shop.now + 30, 2, unsure=1)])
    assert shop.worker().slots_per_instance == 4


def test_an_app_that_was_never_seen_has_no_figures(shop):
    found = shop.queries.capacity("app-guid")
    assert found.processes == []
    assert found.advice.startswith("How busy its workers are has not been seen yet")


def test_what_is_older_than_a_week_does_not_count(shop):
    shop.record(loads=[load(shop.now - WEEK_S - 120, 12), load(shop.now - 120, 2)])
    assert shop.worker().peak.busy == 2


def test_too_few_tasks_are_looked_for_further_around_and_then_told(shop):
    shop.week(busy=4)
    shop.work(per_s=0.002, minutes=480)
    one = shop.worker()
    assert one.needed is None
    assert "tasks ran to their end in the 4 h around its peak" in one.advice
    assert "3 instances of 4 slots had the peak (" in one.advice
    assert (one.measured.until - one.measured.since).total_seconds() == 4 * 3600


def test_few_tasks_are_taken_from_the_hours_around(shop):
    shop.week(busy=4)
    shop.work(per_s=0.06, mean_s=50.0, minutes=300)
    one = shop.worker()
    assert (one.measured.until - one.measured.since).total_seconds() == 3600
    assert one.needed == 2, "three busy slots of four would wait too long"


def test_without_sent_events_the_setting_is_named(shop):
    shop.week()
    shop.work(sent=False)
    one = shop.worker()
    assert one.needed is None
    assert one.measured.wait_p95_s is None
    assert "set task_send_sent_event = True where tasks are sent" in one.advice


def test_shared_queues_carry_no_answer(shop):
    shop.week()
    shop.record(loads=[load(shop.now - 30, 2, shared=True)])
    shop.work()
    assert "worked on by workers elsewhere" in shop.worker().unknown


def test_of_too_many_tasks_the_busiest_minute_is_read(shop, monkeypatch):
    monkeypatch.setattr("celeriac.app.capacity_queries.MOST_TASKS", 700)
    shop.week()
    shop.work()
    one = shop.worker()
    assert one.measured.complete
    assert (one.measured.until - one.measured.since).total_seconds() == 60
    assert one.needed == 3
    monkeypatch.setattr("celeriac.app.capacity_queries.MOST_TASKS", 100)
    one = shop.worker()
    assert not one.measured.complete
    assert one.measured.tasks > 50
    assert any("more tasks than are read" in doubt for doubt in one.doubts)


def test_each_process_of_an_app_has_its_own_figures(shop):
    shop.record(loads=[load(shop.now - 60, 2), replace(load(shop.now - 60, 1), process="mails", instances=1)])
    found = shop.queries.capacity(busy_week.APP)
    assert [one.process for one in found.processes] == ["mails", "worker"]
    assert found.advice.startswith("mails: ")


def test_a_quota_that_cannot_be_read_is_one_sentence(shop):
    shop.quotas.rooms = UnreachableError("it does not answer")
    quota = shop.queries.capacity(busy_week.APP).quota
    assert quota.text == "what the quota leaves is not known: The platform cf: it does not answer"
    assert shop.bare.capacity(busy_week.APP).quota.text.startswith("what the quota leaves is not known: no platform")


def test_a_platform_that_is_silent_holds_no_page_up(shop, monkeypatch):
    monkeypatch.setattr(inquiry_desk, "SOURCE_LIMIT_S", 0.1)
    shop.quotas.hangs = threading.Event()
    try:
        quota = shop.queries.capacity(busy_week.APP).quota
    finally:
        shop.quotas.hangs.set()
    assert quota.text == "what the quota leaves is not known: The platform cf: no answer within 0 s"


def test_quotas_are_asked_for_once_a_minute_whether_they_are_told_or_not(shop, clock):
    for rooms in ((Room("of the space", 5),), UnreachableError("it does not answer")):
        shop.quotas.rooms, shop.quotas.asked = rooms, []
        for _ in range(6):
            shop.queries.capacity(busy_week.APP)
            clock.now += QUOTA_KEPT_S / 6
        assert len(shop.quotas.asked) == 1


def test_an_app_that_the_platform_does_not_show_has_no_quota_that_is_asked_for(shop):
    shop.board(replace(ORDERS, guid="", state="missing"))
    assert "the platform cf shows no such app" in shop.queries.capacity(busy_week.APP).quota.text
    assert shop.quotas.asked == []


@pytest.mark.parametrize(
    ("rooms", "left", "text"),
    [
        ((), None, "no quota bounds its instances"),
        ((Room("a"),), None, "no quota bounds its instances"),
        ((Room("a", None, 2048),), None, "no quota bounds the number of instances; 2,048 MB of memory are left"),
        ((Room("a", 0), Room("b", 7)), 0, "the quota leaves 0 more"),
    ],
)
def test_what_quotas_leave(shop, rooms, left, text):
    shop.quotas.rooms = rooms
    quota = shop.queries.capacity(busy_week.APP).quota
    assert (quota.instances_left, quota.text) == (left, text)


def test_an_app_is_named_by_id_or_name(shop):
    assert shop.queries.capacity("app-guid").name == busy_week.APP
    with pytest.raises(MissingError, match="No app 'nobody' is watched"):
        shop.queries.capacity("nobody")
    shop.board(ORDERS, replace(ORDERS, platform="cf-west", guid="another"))
    with pytest.raises(ConflictError, match=r"cf \(id app-guid\), cf-west \(id another\)\. Give its id"):
        shop.queries.capacity(busy_week.APP)
