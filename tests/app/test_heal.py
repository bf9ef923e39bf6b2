"""The keeper: journal before act, one restart however it ends, and only while it holds the lease."""

import threading

import pytest
from msgspec.structs import replace

import harness
from app.virtual import PREFORK, Cluster
from celeriac.app.heal import Aides, Keeper, Rules
from celeriac.core import offline
from celeriac.core.act import Act
from celeriac.core.errors import ConflictError, MissingError, RefusedError, UnreachableError
from celeriac.core.incident import HeldReason, IncidentState, RemedyState
from celeriac.core.limits import Limits, Policy
from celeriac.core.memory import Changes
from celeriac.core.model import Consumer, InstanceState, Mode
from celeriac.core.offline import judge
from core.builders import CLUSTER, change, crash, guid, order, word, worker

NODE = f"celery@{guid()}"
OTHERS = range(1, 4)


class Killed(BaseException):
    """SIGKILL, as far as a test can have it: nothing of the keeper goes on from here."""


class Shift:
    """A cluster of four prefork workers with keepers, a real journal, and a clock that each look moves by two seconds."""

    def __init__(self, clock, history, journal):
        self.clock, self.journal = clock, journal
        self.cluster = Cluster(clock, history)
        self.policy = Policy(mode=Mode.AUTO)
        self.frozen: dict[int, float] = {}
        self.reached: list[str] = []
        self.keepers: list[Keeper] = []
        self.keeper = self.hire("first")
        self._teach()

    def _teach(self):
        """Let the pools be known, as they are after some hours."""
        control = self.cluster.control
        control.kinds = {f"celery@{guid(index)}#7": replace(PREFORK, named=True) for index in range(4)}

    def hire(self, holder, kill_at=None, aides=Aides()) -> Keeper:  # noqa: B008 (frozen)
        """Start a keeper; it dies at the named point."""

        def reached(point):
            self.reached.append(point)
            if point == kill_at:
                raise Killed

        rules = Rules(limits=Limits(), policy=lambda: self.policy, cycle_s=0.01)
        keeper = Keeper(self.cluster.another(), self.journal, rules, holder=holder, aides=aides, reached=reached)
        self.keepers.append(keeper)
        return keeper

    def freeze(self, index=0, ago=0.0):
        self.frozen[index] = self.clock() - ago

    def turn(self, keeper=None, after=2.0):
        """Let time pass, the observer work, and a keeper run one cycle."""
        self.clock.pass_(after)
        self._observe()
        (keeper or self.keeper).cycle()

    def turns(self, number, keeper=None):
        for _ in range(number):
            self.turn(keeper)

    def _observe(self):
        now, lives, alive = self.clock(), [], set()
        for index, there in self.cluster.platform.instances.items():
            node = f"celery@{there.guid}"
            fresh = there.guid != guid(index)
            frozen = self.frozen.get(index) if not fresh else None
            silent = now - frozen if frozen is not None else 0.5
            lives.append(worker(index, node=node, silent=silent, now=now, born=20 if fresh else 3600))
            if frozen is None:
                alive.add(node)
        self.cluster.control.alive = alive
        self.cluster.control.kinds |= {f"{node}#7": PREFORK for node in alive}
        self.cluster.broker.there = {one.node: _connections(one.node in alive) for one in lives}
        self.cluster.observe(*lives)

    @property
    def platform(self):
        return self.cluster.platform

    @property
    def incident(self):
        (one,) = self.journal.incidents(CLUSTER, open_only=False, limit=9)
        return one

    @property
    def remedies(self):
        return self.journal.book(CLUSTER, 0.0).remedies

    def until_convicted(self, keeper=None):
        """Freeze the first worker and run until its remedy is journalled."""
        self.turns(3, keeper)
        self.freeze()
        for _ in range(30):
            self.turn(keeper)
            if self.remedies:
                return

    def until_verifying(self, keeper):
        """Go on until proof is awaited."""
        self.until_convicted(keeper)
        self.turns(3, keeper)

    def close(self):
        self.cluster.gatherer.close()
        for keeper in self.keepers:
            keeper._gatherer.close()


def _connections(fetching):
    return Consumer(10, fetching=fetching, idle_s=0.0 if fetching else 30.0)


@pytest.fixture
def shift(clock, history, journal):
    one = Shift(clock, history, journal)
    yield one
    one.close()


# The act -------------------------------------------------------------------------------------------------------------


def test_a_frozen_worker_is_restarted_and_proven(shift):
    """Silent, no ping, no fetch: restarted once; a new guid, heartbeats, a ping and a queue prove it."""
    shift.until_convicted()
    shift.turns(10)

    assert shift.platform.restarted == [guid()]
    assert shift.incident.state is IncidentState.RESOLVED
    assert [one.kind for one in shift.incident.steps] == ["opened", "intended", "acted", "resolved"]
    assert [one.state for one in shift.remedies] == [RemedyState.VERIFIED]
    assert shift.reached[:2] == ["journalled", "acted"]
    assert "verifying" in shift.reached


def test_the_intent_is_journalled_before_the_restart(shift):
    """When the order reaches the platform, whoever comes after us already knows of it."""
    found = []
    shift.platform.before_restart = lambda instance: found.extend(shift.remedies)
    shift.until_convicted()

    assert [(one.state, one.guid) for one in found] == [(RemedyState.INTENDED, guid())]


def test_the_platform_is_read_right_before_the_restart(shift):
    """Whatever was seen a second ago, the index is read once more."""
    shift.until_convicted()

    assert shift.platform.asked[-2:] == ["instance", "restart"]


def test_an_index_that_changed_between_verdict_and_act_is_not_touched(shift):
    """The order goes by index, so it would hit whoever is there now."""
    shift.turns(3)
    shift.freeze()
    keeper = shift.hire("first")
    keeper._reached = lambda point: point == "journalled" and _replace(shift.platform, guid="moved")
    for _ in range(30):
        shift.turn(keeper)

    assert shift.platform.restarted == []
    assert shift.remedies[0].state is RemedyState.LAPSED
    assert "not touched: the index now has guid moved" in [step.text for step in shift.incident.steps][2]


def _replace(platform, **changes):
    platform.instances[0] = replace(platform.instances[0], **changes)


def test_an_index_that_is_gone_is_not_touched(shift):
    """Scaled away between verdict and act."""
    shift.turns(3)
    shift.freeze()
    keeper = shift.hire("first")
    keeper._reached = lambda point: point == "journalled" and shift.platform.instances.pop(0)
    for _ in range(20):
        shift.turn(keeper)

    assert shift.platform.restarted == []
    assert shift.remedies[0].note == "not touched: the index is gone"
    assert shift.incident.state is IncidentState.RESOLVED


def test_what_was_seen_long_ago_is_not_acted_on(shift):
    """The keeper was stopped between its look and the act: it must look anew."""
    shift.turns(3)
    shift.freeze()
    keeper = shift.hire("first")
    keeper._rules = replace(keeper._rules, lease_s=60.0)
    slow = iter([16.0])
    keeper._reached = lambda point: point == "journalled" and shift.clock.pass_(next(slow, 0.0))
    for _ in range(40):
        shift.turn(keeper)

    assert shift.platform.restarted == [guid()]
    assert [one.state for one in shift.remedies] == [RemedyState.LAPSED, RemedyState.VERIFIED]
    assert shift.remedies[0].note == "not touched: what was seen has grown old before the act"


def test_a_platform_that_is_always_too_slow_to_act_on_is_for_a_person(shift):
    """Each reading of the index takes longer than it stays true for; after the third nothing is tried again."""
    shift.turns(3)
    shift.freeze()
    read = shift.platform.instance

    def slow(like):
        shift.clock.pass_(6.0)
        return read(like)

    shift.platform.instance = slow
    shift.turns(60)

    assert shift.platform.restarted == []
    assert [one.state for one in shift.remedies] == [RemedyState.LAPSED, RemedyState.LAPSED, RemedyState.REFUSED]
    assert (shift.incident.state, shift.incident.steps[-1].text) == (
        IncidentState.ESCALATED,
        "not touched: what was seen has grown old before the act, 3 times",
    )


def test_an_index_that_is_listed_and_cannot_be_read_is_for_a_person(shift):
    shift.turns(3)
    shift.freeze()

    def missing(_):
        message = "the index is gone"
        raise MissingError(message)

    shift.platform.instance = missing
    shift.turns(60)

    assert (shift.incident.state, shift.incident.steps[-1].text) == (
        IncidentState.ESCALATED,
        "not touched: the index is gone, 3 times",
    )


def test_an_answer_that_did_not_come_leaves_the_intent(shift):
    """Whether the restart took effect is not known: the platform's next readings tell."""
    shift.platform.answer = UnreachableError("timed out")
    shift.until_convicted()
    assert (shift.remedies[0].state, shift.incident.state) == (RemedyState.INTENDED, IncidentState.REMEDYING)
    assert shift.incident.steps[-1].kind == "unclear"

    shift.turns(15)
    assert shift.platform.restarted == [guid()]
    assert shift.incident.state is IncidentState.RESOLVED


def test_an_order_that_never_arrived_is_repeated_under_its_id(shift):
    """The same guid is still there after forty seconds: the same remedy, its second attempt."""
    shift.platform.answer, shift.platform.takes_effect = UnreachableError("timed out"), False
    shift.until_convicted()
    first = shift.remedies[0]
    shift.turns(19)
    assert shift.platform.asked.count("restart") == 1

    shift.platform.answer, shift.platform.takes_effect = None, True
    shift.turns(10)
    assert shift.platform.restarted == [guid()]
    assert [(one.id, one.attempts, one.state) for one in shift.remedies] == [(first.id, 2, RemedyState.VERIFIED)]


def test_a_first_attempt_that_shows_only_at_the_second_counts_as_done(shift):
    """Right before the repetition the index is another: the first order did it, and is counted and proven."""
    shift.platform.answer, shift.platform.takes_effect = UnreachableError("timed out"), False
    shift.until_convicted()
    shift.platform.answer = None
    keeper = shift.hire("first")
    keeper._reached = lambda point: point == "journalled" and _replace(shift.platform, guid="next")
    for _ in range(30):
        shift.turn(keeper)

    assert shift.platform.asked.count("restart") == 1
    assert (shift.incident.state, shift.remedies[0].state) == (IncidentState.RESOLVED, RemedyState.VERIFIED)


@pytest.mark.parametrize("error", [RefusedError("403: not authorized"), ConflictError("a deployment is under way")])
def test_a_platform_that_says_no_is_for_a_person(shift, error):
    """It is not asked again and again."""
    shift.platform.answer, shift.platform.takes_effect = error, False
    shift.until_convicted()
    shift.turns(30)

    assert shift.platform.asked.count("restart") == 1
    assert (shift.incident.state, shift.remedies[0].state) == (IncidentState.ESCALATED, RemedyState.REFUSED)
    assert shift.incident.steps[-1].text == str(error)


def test_a_person_is_obeyed(shift):
    """A restart that a person ordered is done by the keeper, in that person's name."""
    shift.policy = Policy(mode=Mode.APPROVE)
    shift.turns(2)
    shift.journal.submit(order(incident=None, ago=0, now=shift.clock()))
    shift.turn()

    assert shift.platform.restarted == [guid()]
    assert [(one.id, one.actor) for one in shift.remedies] == [("order", "ana")]


def test_a_crash_is_left_to_the_platform(shift):
    """It is verified, and never restarted a second time."""
    shift.turns(3)
    shift.platform.crashed = (crash(now=shift.clock()),)
    _replace(shift.platform, guid="next", uptime_s=1.0)
    shift.turns(8)

    assert shift.platform.restarted == []
    assert shift.incident.state is IncidentState.RESOLVED


# Killed --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", ["journalled", "acted", "verifying"])
def test_a_keeper_killed_at_any_point_leaves_one_restart(shift, point):
    """The next one finds the intent, reads the platform, and repeats nothing that took effect."""
    doomed = shift.hire("doomed", kill_at=point)
    with pytest.raises(Killed):
        shift.until_verifying(doomed)

    shift.clock.pass_(11)
    heir = shift.hire("heir")
    shift.turns(50, heir)

    assert shift.platform.restarted == [guid()]
    assert shift.incident.state is IncidentState.RESOLVED
    assert [(one.state, one.actor) for one in shift.remedies] == [(RemedyState.VERIFIED, "keeper")]


def test_a_keeper_killed_before_the_act_is_followed_after_forty_seconds(shift):
    """The order may be on its way: the next keeper waits before it repeats it, under the same id."""
    doomed = shift.hire("doomed", kill_at="journalled")
    with pytest.raises(Killed):
        shift.until_convicted(doomed)
    intended = shift.remedies[0]
    heir = shift.hire("heir")
    shift.turns(19, heir)
    assert shift.platform.restarted == []

    shift.turns(3, heir)
    assert shift.platform.restarted == [guid()]
    assert (shift.remedies[0].id, shift.remedies[0].attempts) == (intended.id, 2)


# The lease -----------------------------------------------------------------------------------------------------------


def test_a_second_keeper_stands_by(shift):
    """While the first one is at work the second does not even look."""
    shift.turns(2)
    second = shift.hire("second")
    before = shift.platform.asked.copy()
    second.cycle()

    assert shift.platform.asked == before
    assert second._said == "standing by: another keeper is at work"


def test_the_second_keeper_takes_over_when_the_lease_runs_out(shift):
    """Ten seconds after the first one's last sign."""
    shift.until_convicted()
    second = shift.hire("second")
    shift.turn(second, after=9)
    assert shift.journal.board(CLUSTER).at < shift.clock()

    shift.turns(10, second)
    assert shift.journal.board(CLUSTER).at == shift.clock()
    assert shift.incident.state is IncidentState.RESOLVED
    assert shift.platform.restarted == [guid()]


def test_a_keeper_that_lost_the_lease_before_the_act_does_not_act(shift):
    """It was stopped between journal and act for longer than its lease."""
    slow = shift.hire("slow")

    def taken_over(point):
        if point == "journalled":
            shift.clock.pass_(11)
            assert shift.journal.hold_lease("second", shift.clock(), 10)

    slow._reached = taken_over
    with pytest.raises(ConflictError, match="taken over before the act"):
        shift.until_convicted(slow)

    assert shift.platform.asked.count("restart") == 0


def test_a_keeper_that_lost_the_lease_journals_nothing(shift):
    """Its look took too long: what it has decided is not stored, and not done."""
    shift.turns(3)
    looked = shift.keeper._gatherer.look

    def slow(book):
        seen = looked(book)
        shift.clock.pass_(11)
        assert shift.journal.hold_lease("second", shift.clock(), 10)
        return seen

    shift.keeper._gatherer.look = slow
    board = shift.journal.board(CLUSTER)
    with pytest.raises(ConflictError):
        shift.turn()

    assert shift.journal.board(CLUSTER) == board


# The board and the loop ----------------------------------------------------------------------------------------------


def test_each_cycle_leaves_its_word_for_the_pages(shift):
    """One sentence, the mode, the findings, and the apps once for all of them."""
    shift.turns(3)
    board = shift.journal.board(CLUSTER)

    assert (board.sentence, board.mode, board.paused, board.blind) == ("4 healthy", "auto", None, None)
    assert (len(board.findings), len(board.apps), board.problems) == (4, 1, ())
    assert all(one.site.app is None and one.site.instance for one in board.findings)
    assert len(board.pools) == 4


def test_what_fails_is_on_the_board(shift):
    """Readiness and the pages name every source that fails."""
    shift.turns(3)
    shift.platform.away = UnreachableError("the API does not answer")
    shift.cluster.broker.away = "Redis: Connection refused"
    shift.turns(20)
    problems = shift.journal.board(CLUSTER).problems

    assert "platform: the API does not answer" in problems
    assert not [one for one in problems if "events" in one], "that goes without saying"
    assert "broker connections: Redis: Connection refused" in problems


def test_an_app_that_is_not_to_be_seen_is_on_the_board(shift):
    """Its workers are unknown, and a person must look at rights or names."""
    shift.turns(2)
    shift.platform.apps = lambda: (replace(_app(shift), state="MISSING", instances=()),)
    shift.turns(7)

    told = "platform: the app orders-worker is not to be seen in the space: it was deleted, or our role there was taken away"
    assert told in shift.journal.board(CLUSTER).problems


def _app(shift):
    return type(shift.platform).apps(shift.platform)[0]


def test_a_blind_cluster_is_on_the_board(shift):
    """The reason stands first, and nothing is done."""
    shift.turn()
    board = shift.journal.board(CLUSTER)

    assert board.blind == "the observer's next word is awaited"
    assert board.problems[0] == board.blind
    assert board.sentence == f"blind: {board.blind}"


def test_a_pause_needs_no_restart(shift):
    """The policy is asked anew in each cycle."""
    shift.turns(3)
    shift.policy = Policy(mode=Mode.AUTO, paused="ana is looking")
    shift.freeze()
    shift.turns(20)
    assert (shift.incident.held_reason, shift.platform.restarted) == (HeldReason.PAUSED, [])

    shift.policy = Policy(mode=Mode.AUTO)
    shift.turn()
    assert shift.platform.restarted == [guid()]


def test_without_a_platform_nothing_can_be_restarted(shift):
    """An intent of a time with a platform ends with the reason."""
    shift.until_convicted()
    remedy, told = replace(shift.remedies[0], state=RemedyState.INTENDED), shift.incident
    shift.keeper._platform = None
    shift.keeper._act(Act(told, remedy, shift.platform.instances[0], 180.0), shift.clock())

    assert (shift.remedies[0].state, shift.remedies[0].note) == (RemedyState.REFUSED, "no platform is configured")


def test_the_loop_outlives_what_fails(shift):
    """A store that is away, and another keeper, are said and waited out."""
    answers = iter(
        [UnreachableError("the disk is full"), ConflictError("another keeper has taken over"), KeyError("oops")]
    )
    real, done = shift.keeper.cycle, []

    def cycle():
        for error in answers:
            raise error
        done.append(real())

    shift.keeper.cycle = cycle
    said, remember = [], shift.keeper._say
    shift.keeper._say = lambda text, **how: (said.append(text), remember(text, **how))
    stopping = threading.Event()
    running = threading.Thread(target=shift.keeper.run, args=(stopping,))
    running.start()
    try:
        harness.wait_until(lambda: done, 10, "the keeper works again")
    finally:
        stopping.set()
        running.join(10)

    assert not running.is_alive()
    assert said[:3] == [
        "cannot work: the disk is full",
        "standing by: another keeper has taken over",
        "cannot work: a defect: KeyError: 'oops'",
    ]


def test_what_a_keeper_without_the_lease_writes_is_refused(shift):
    """The journal itself holds the door."""
    shift.turns(2)

    with pytest.raises(ConflictError):
        shift.journal.commit(Changes(), "stranger")


def test_an_instance_that_does_not_run_is_no_worker_to_restart(shift):
    """The platform is starting it: nothing is wrong yet."""
    shift.turns(3)
    _replace(shift.platform, guid=None, state=InstanceState.STARTING, uptime_s=5.0)
    shift.turns(8)

    assert shift.journal.incidents(CLUSTER, open_only=False, limit=9) == []


# What people do to the app -------------------------------------------------------------------------------------------


def test_while_somebody_deploys_nothing_is_restarted(shift):
    """Held with who does what; when the deployment is over and ten minutes have passed, it is restarted."""
    shift.platform.changed = (
        change("has a deployment under way, begun", ago=5, now=shift.clock(), actor=None, active=True),
    )
    shift.until_convicted()
    assert (shift.incident.state, shift.incident.held_reason) == (IncidentState.HELD, HeldReason.DEPLOY)

    shift.platform.changed = ()
    shift.turns(8)
    assert shift.platform.restarted == [guid()]


def test_while_it_cannot_be_told_whether_somebody_deploys_nothing_is_restarted(shift):
    """The deployments cannot be read: that is no answer, and the cluster says so."""

    def refuse(_):
        raise RefusedError("403")

    shift.platform.changes = refuse
    shift.until_convicted()

    assert shift.incident.held_reason is HeldReason.DEPLOY
    assert "platform changes: 403" in shift.journal.board(CLUSTER).problems


def test_our_own_restart_does_not_hold_the_next_worker(shift):
    """The platform tells of it under our account; the next one that freezes is restarted as well."""
    shift.until_convicted()
    shift.turns(8)
    shift.platform.changed = (change("restarted instance 0", index=0, ago=16, now=shift.clock(), own=True),)
    shift.freeze(1)
    shift.turns(25)

    assert shift.platform.restarted == [guid(), guid(1)]


# What people say -----------------------------------------------------------------------------------------------------


def test_a_held_incident_is_left_alone_until_it_is_released(shift):
    """Through the journal: the word is taken up with the next cycle, and answered."""
    shift.policy = Policy(mode=Mode.APPROVE)
    shift.turns(3)
    shift.freeze()
    shift.turns(25)
    shift.journal.say(word("hold", incident=shift.incident.id))
    shift.policy = Policy(mode=Mode.AUTO)
    shift.turns(5)
    assert (shift.incident.held_by, shift.platform.restarted) == ("ana", [])
    assert shift.journal.word("word-hold").state == "done"

    shift.journal.say(word("release", incident=shift.incident.id))
    shift.turns(2)
    assert shift.platform.restarted == [guid()]


def test_the_board_says_what_the_guards_judged_by(shift):
    """Pages tell from it what an order passes."""
    shift.until_convicted()
    shift.turns(1)
    board = shift.journal.board(CLUSTER)

    assert board.policy == shift.policy
    assert [one.guid for one in board.remedies] == [guid()]
    assert board.changes.value == ()


# What is kept before the act, and of the decision ----------------------------------------------------------------------


class Slow:
    """A preserver whose sources take so many seconds of the keeper's clock."""

    def __init__(self, shift, takes=0.0):
        self.shift, self.takes, self.given = shift, takes, []

    def preserve(self, act, within, meanwhile):
        self.given.append(within)
        self.restarted = list(self.shift.platform.restarted)
        self.shift.clock.pass_(min(self.takes, within))
        meanwhile()
        return "kept before the kill: logs: 500" if within > 0 else None

    def close(self):
        pass


def test_evidence_is_kept_before_the_kill_and_the_story_says_so(shift):
    slow = Slow(shift)
    shift.until_convicted(shift.hire("other", aides=Aides(preserver=slow)))

    assert slow.restarted == []
    assert shift.platform.restarted == [guid()]
    kinds = [step.kind for step in shift.incident.steps]
    assert kinds[kinds.index("intended") :] == ["intended", "evidence", "acted"]


def test_however_slow_evidence_is_the_look_stays_fresh_for_the_act(shift):
    slow = Slow(shift, takes=60.0)
    shift.until_convicted(shift.hire("other", aides=Aides(preserver=slow)))

    assert 0 < slow.given[0] <= 10
    assert shift.platform.restarted == [guid()]


def test_the_moment_of_a_decision_is_kept_and_gives_the_same_plan(shift, store):
    keeper = shift.hire("other", aides=Aides(exhibits=store.casebook()))
    shift.until_convicted(keeper)

    moment = store.casebook().moment(shift.incident.id)
    findings, plan = judge(offline.load(offline.dump(moment)))
    assert [act.incident.id for act in plan.acts] == [shift.incident.id]
    assert plan.acts[0].remedy.guid == guid()
    assert {one.place: one.verdict for one in findings}[shift.incident.place] == shift.incident.verdict


def test_a_moment_that_cannot_be_kept_stops_no_restart(shift):
    class Away:
        def keep_moment(self, *_):
            raise UnreachableError("the disk is full")

    shift.until_convicted(shift.hire("other", aides=Aides(exhibits=Away())))

    assert shift.platform.restarted == [guid()]
