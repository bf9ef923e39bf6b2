"""Manifests: what the emulator makes of one, and the sentence for each mistake."""

import json

import pytest

import harness
from celeriac.__main__ import main
from celeriac.emulator import EmulatorConfigError, Manifest, read_variables
from celeriac.emulator.manifest import read_manifest
from celeriac.emulator.server import described
from celeriac.emulator.services import Service

REDIS = Service("shop-redis", {"host": "10.0.0.1", "port": 6379}, label="p.redis", tags=("redis",))
WHOLE = """
version: 1
x-worker: &worker
  type: worker
  memory: 512M
  disk_quota: 2G
applications:
- name: ((name))
  path: code
  buildpacks: [python_buildpack]
  no-route: true
  env: {LEVEL: INFO, COUNT: 3, DEEP: true, URL: "redis://((host)):6379"}
  metadata: {labels: {team: shop}, annotations: {contact: ada}}
  services:
  - shop-redis
  - {name: shop-redis, binding_name: second}
  sidecars:
  - {name: helper, command: ./helper, process_types: [worker], memory: 32M}
  processes:
  - type: web
    command: ./web
    instances: ((count))
    health-check-type: http
    health-check-http-endpoint: /alive
    health-check-interval: 5
    health-check-invocation-timeout: 2
    timeout: 90
  - <<: *worker
    instances: 2
"""


@pytest.fixture
def apps(tmp_path):
    def of(text, **variables):
        (tmp_path / "manifest.yml").write_text(text)
        return read_manifest(Manifest(tmp_path / "manifest.yml", variables), (REDIS,))

    return of


@pytest.fixture
def code(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "Procfile").write_text("# what runs\nworker: exec ./work --fast: yes\nbeat: ./beat\n")
    return tmp_path / "code"


def test_a_manifest_with_everything(apps, code):
    [app] = apps(WHOLE, name="shop", host="broker", count=3)

    assert (app.name, app.files) == ("shop", code)
    assert app.env == {"LEVEL": "INFO", "COUNT": "3", "DEEP": "true", "URL": "redis://broker:6379"}
    assert (app.labels, app.annotations) == ({"team": "shop"}, {"contact": "ada"})
    assert [(one["name"], one["instance_name"]) for one in app.services["p.redis"]] == [
        ("shop-redis", "shop-redis"),
        ("second", "shop-redis"),
    ]
    assert app.services["p.redis"][0]["credentials"] == {"host": "10.0.0.1", "port": 6379}
    web, worker, beat = app.processes
    assert (web.type, web.command, web.instances, web.health_check_timeout) == ("web", "./web", 3, 90)
    check = web.health_check
    assert (check.type, check.endpoint, check.interval, check.invocation_timeout) == ("http", "/alive", 5, 2)
    assert (worker.command, worker.instances, worker.memory_mb, worker.disk_mb) == (
        "exec ./work --fast: yes",
        2,
        512,
        2048,
    )
    assert (worker.health_check.type, beat.command, beat.instances) == ("process", "./beat", 0)
    assert [(each.name, each.process_types, each.memory_mb) for each in app.sidecars] == [("helper", ("worker",), 32)]


def test_keys_of_the_app_itself_describe_its_web_process(apps):
    [app] = apps("applications: [{name: a, command: ./run, health-check-type: process}, ]")

    [web] = app.processes
    assert (web.type, web.instances, web.memory_mb, web.health_check.type) == ("web", 1, 1024, "process")


def test_a_web_process_is_probed_at_its_port_unless_the_manifest_says_otherwise(apps):
    assert apps("applications: [{name: a, command: ./run}]")[0].processes[0].health_check.type == "port"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("applications: []", "applications is empty: describe at least one app"),
        ("application: []", "application is not a key of a manifest that is known here: did you mean 'applications'?"),
        ("- 1", "the manifest is no mapping"),
        ("applications: [{command: x}]", "applications[0].name is missing"),
        ("applications: [{name: a, comand: x}]", "applications[0].comand is not a key of a manifest that is known here: did you mean 'command'?"),
        ("applications: [{name: a}]", "applications[0].command is missing for the process 'web'"),
        ("applications: [{name: a, command: x, memory: lots}]", "applications[0].memory must be a size like 256M or 1G"),
        ("applications: [{name: a, command: x, instances: -1}]", "applications[0].instances must be a whole number from 0 to 1000"),
        ("applications: [{name: a, command: x, timeout: 999}]", "applications[0].timeout must be a whole number from 1 to 180"),
        ("applications: [{name: a, command: x, health-check-type: tcp}]", "applications[0].health-check-type must be process, port or http"),
        ("applications: [{name: a, command: x, services: [db]}]", "applications[0].services names 'db', which is no [[services]] of the emulator's file; there: shop-redis"),
        ("applications: [{name: a, command: ((cmd))}]", "((cmd)) has no value: give it with --var cmd=VALUE"),
        ("applications: [{name: a, command: x, path: nowhere}]", "which is not a folder"),
        ("applications: [{name: a, command: x, env: {PORT: 1}}]", "applications[0].env.PORT is set by the platform"),
        ("applications: [{name: a, processes: [{command: x}]}]", "applications[0].processes[0].type must be given"),
        ("applications: [{name: a, processes: [{type: w, instance: 1}]}]", "applications[0].processes[0].instance is not a key"),
        ("applications: [", "it is not valid YAML"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_key_and_the_fix(apps, text, sentence):
    with pytest.raises(EmulatorConfigError) as caught:
        apps(text)

    assert sentence in str(caught.value)
    assert "manifest.yml: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_variable_on_the_command_line_outdoes_a_file(tmp_path):
    (tmp_path / "vars.yml").write_text("count: 3\nhost: broker\n")

    assert read_variables(["count=5", "empty="], [tmp_path / "vars.yml"]) == {"count": 5, "host": "broker", "empty": ""}


def test_an_instance_has_the_files_of_its_app_and_its_services(launch, tmp_path):
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "word").write_text("hello")
    (folder / "manifest.yml").write_text(
        "applications: [{name: shop, services: [shop-redis], health-check-type: process, command: 'cat word; "
        'echo; echo "$VCAP_SERVICES"; echo "$VCAP_APPLICATION"; exec sleep 1000\'}]'
    )
    [app] = read_manifest(Manifest(folder / "manifest.yml", {}), (REDIS,))
    cf = launch(apps=(app,)).cf
    cf.wait_states("RUNNING", kind="web")

    said = harness.wait_until(
        lambda: [each for each in cf.lines() if each.startswith("{")][1:] and cf.lines(), 10, "all is said"
    )
    assert "hello" in said
    services, application = (json.loads(each) for each in said if each.startswith("{"))
    assert services["p.redis"][0]["credentials"] == {"host": "10.0.0.1", "port": 6379}
    assert application["limits"] == {"fds": 16384, "mem": 1024, "disk": 1024}


def test_without_a_file_of_its_own_the_emulator_has_one_user(tmp_path):
    (tmp_path / "manifest.yml").write_text("applications: [{name: a, command: ./run}]")

    config = described(None, [Manifest(tmp_path / "manifest.yml", {})], port=8123)

    assert ([one.name for one in config.users], [one.name for one in config.apps], config.port) == (
        ["admin"],
        ["a"],
        8123,
    )


def test_two_manifests_with_the_same_app_are_refused(tmp_path):
    (tmp_path / "manifest.yml").write_text("applications: [{name: a, command: ./run}]")

    with pytest.raises(EmulatorConfigError, match="the app 'a' is described twice"):
        described(None, [Manifest(tmp_path / "manifest.yml", {})] * 2)


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ([], "Name what to run: the emulator's own file with --config, or a manifest with --manifest."),
        (["--manifest", "/nowhere.yml"], "/nowhere.yml: it cannot be read"),
        (["--manifest", "/nowhere.yml", "--var", "x"], "--var takes NAME=VALUE"),
    ],
)
def test_the_command_answers_a_mistake_in_one_sentence(argv, sentence, capsys):
    assert main(["emulator", *argv]) == 2

    said = capsys.readouterr().err
    assert sentence in said
    assert len(said.splitlines()) == 1
