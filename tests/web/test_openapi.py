"""The API's description: it names every field that the design promises, and a person can read it."""

import re

import pytest

import celeriac

WORKER = (
    "id cluster node status verdict suspect notes last_heartbeat_at heartbeat_age_s pid pool concurrency active "
    "processed queues instance"
)
TASK = (
    "id cluster name state args kwargs result exception worker queue sent_at received_at started_at finished_at "
    "runtime_s wait_s retries root_id parent_id"
)
INCIDENT = "id cluster worker verdict state held_reason opened_at resolved_at evidence steps remedy"
OBSERVATION = (
    "cluster reader events_seen events_lost_estimate tasks_lost malformed refused dropped unknown_types reconnects cuts gaps "
    "lag_s last_event_age_s observed_at backlog_bytes rows_written error store_error flowing_since coverage"
)
QUEUE = (
    "id cluster name depth ready unacked consumers arriving_per_s completing_per_s oldest_s oldest_how unknown "
    "unconsumed at"
)
PROMISED = {
    "Observation": OBSERVATION,
    "Gap": "what why setting workers",
    "Queue": QUEUE,
    "TaskPage": "items next previous searched_to",
    "Facets": "states names workers queues complete",
    "Percentiles": "number p50_s p95_s p99_s buckets",
    "Worker": WORKER,
    "Instance": "platform app process index guid state",
    "Task": TASK,
    "Incident": INCIDENT,
    "Evidence": "signal reading at",
    "Step": "at kind text",
    "Casualties": "incident watched looked_at counts doubts items",
    "Casualty": "id name worker queue state at fate why",
    "Kept": "incident kept_at exhibits",
    "Exhibit": "source read_at why lines",
    "App": "id cluster platform name state processes instances turns passes",
    "AppInstance": (
        "process index guid state uptime_s since details worker nodes verdict last_heartbeat_at heartbeat_age_s"
    ),
    "Process": "type wanted running",
    "LogLine": "at source process index stream level text",
    "AppEvent": "id at kind actor text",
    "Environment": "items hidden",
    "Variable": "name value",
    "AuditPage": "items next previous",
    "AuditEntry": "id at actor role address token action target cluster outcome before after why detail",
    "BreakGlassUse": "id at name address seen_at seen_by",
    "Problem": "type title status detail",
}


@pytest.fixture
def document(asked):
    return asked.get("/api/openapi.json").json()


@pytest.mark.parametrize("name", PROMISED)
def test_every_promised_field_is_described(document, name):
    assert set(PROMISED[name].split()) <= set(document["components"]["schemas"][name]["properties"])


def test_title_and_version(document):
    assert (document["info"]["title"], document["info"]["version"]) == ("Celeriac", celeriac.__version__)


def test_lists_have_one_shape(document):
    lists = {name for name in document["components"]["schemas"] if name.endswith("List")}

    assert lists == {
        f"{noun}List"
        for noun in (
            *("Cluster", "Worker", "Incident", "App", "AppEvent", "LogLine"),
            *("ApiToken", "BreakGlassUse", "Observation", "Pause", "Queue", "QueueSample", "Session"),
        )
    }
    for name in lists:
        assert set(document["components"]["schemas"][name]["properties"]) == {"items", "next"}


def test_every_problem_is_documented_with_its_shape(document):
    for methods in document["paths"].values():
        for call in methods.values():
            assert call["summary"]
            problems = {
                status: each for status, each in call["responses"].items() if status in {"403", "404", "409", "422"}
            }
            for status, each in problems.items():
                assert set(each["content"]) == {"application/problem+json"}, (call["operationId"], status)


def test_every_reference_leads_somewhere(document):
    known = set(document["components"]["schemas"])

    assert set(re.findall(r"#/components/schemas/(\w+)", str(document))) <= known


def test_the_page_for_people_names_every_path_and_field(asked, document):
    page = asked.get("/api/docs")

    assert page.headers["content-type"].startswith("text/html")
    for path in document["paths"]:
        assert f"<code>{path}</code>" in page.text
    assert "heartbeat_age_s" in page.text
