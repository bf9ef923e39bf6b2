"""Why silence proves less of some workers than of others: what cannot be told of them, and what only a person may decide."""

from celeriac.core.case import Case

PREFORK = "prefork"
HELD = "RabbitMQ still holds its connection, as it does until two AMQP heartbeats are missed (broker_heartbeat)"


def nameless(case: Case) -> str:
    """Return why a worker's connections cannot be told from those of others."""
    if case.of_rabbitmq():
        return (
            "it has no remote-control queue (worker_enable_remote_control is off, or control_exchange has another name)"
        )
    return "its broker connections carry no name (set client_name in broker_transport_options)"


def approval(case: Case) -> str | None:
    """Return why silence proves less of this worker than of others."""
    pool = case.pool_kind()
    if pool != PREFORK:
        return f"pool {pool or 'unknown'} may be silent while a long task runs"
    if case.held_by_rabbitmq():
        return f"{HELD}: silence and an unanswered ping are all there is"
    if not case.named():
        return "its connections to the broker cannot be told from those of others, only counted"
    if case.logged().stopping_at is not None:
        return "it was told to stop, and may be ending its last tasks"
    if not case.beats():
        return "it has sent no heartbeat yet, so silence may be its habit (--without-heartbeat)"
    if case.may_have_left():
        return "its connection was not seen to outlast its last heartbeat: it may be ending its last tasks"
    if not case.heard() and case.consumer() is None:
        return "it fell silent while we did not hear, and has no connection: it may be ending its last tasks"
    return None
