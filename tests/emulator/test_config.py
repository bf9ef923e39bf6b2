"""The configuration file: what it may say, and the sentence for each mistake."""

import pytest

from celeriac.emulator import EmulatorConfigError, load

LOGIN = '[[users]]\nname = "ada"\npassword = "secret"\n'
APP = '[[apps]]\nname = "shop"\ncommand = "exec sleep 9"\n'


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "emulator.toml"
        path.write_text(text)
        return path

    return write


def test_the_least_that_a_file_must_say(write):
    config = load(write(LOGIN + APP))

    [app] = config.apps
    [process] = app.processes
    assert (config.host, config.port, config.speed, config.grace_seconds) == ("127.0.0.1", 0, 1.0, 10.0)
    assert (config.api_version, config.org, config.space) == ("3.228.0", "demo", "dev")
    assert (app.name, app.started, app.cwd, dict(app.env)) == ("shop", True, None, {})
    assert (process.type, process.instances, process.memory_mb) == ("worker", 1, 256)
    assert config.users[0].scopes == ("cloud_controller.read", "cloud_controller.write")


def test_everything_that_a_file_can_say(write, tmp_path):
    (tmp_path / "shop").mkdir()
    config = load(
        write("""
            host = "localhost"
            port = 8123
            ready_file = "run/url"
            org = "acme"
            space = "prod"
            api_version = "3.190.0"
            speed = 60
            grace_seconds = 2.5
            start_seconds = 0.5
            cell_memory_mb = 1024
            enforce_memory = true
            log_lines_per_app = 10
            disabled_features = ["app_scaling"]
            [tokens]
            access_seconds = 60
            client_seconds = 120
            refresh_seconds = 240
            [[clients]]
            id = "robot"
            secret = "r2d2"
            scopes = ["cloud_controller.read"]
            [[apps]]
            name = "shop"
            state = "STOPPED"
            cwd = "shop"
            env = { BROKER = "redis://localhost" }
              [[apps.processes]]
              command = "exec sleep 9"
              instances = 3
              memory_mb = 64
              health_check_type = "process"
              health_check_timeout = 90
              [[apps.processes]]
              type = "beat"
              command = "exec sleep 9"
            [[apps]]
            name = "shop"
            org = "other"
            space = "blue"
            command = "exec sleep 9"
            labels = { tier = "back", "example.org/team" = "a" }
            annotations = { owner = "ops, second floor" }
            services = { mq = [{ name = "broker" }] }
            routes = ["shop.example.org"]
            autoscaler = { instance_min_count = 1, instance_max_count = 4 }
              [[apps.sidecars]]
              name = "proxy"
              command = "exec sleep 9"
              process_types = ["worker"]
            [[spaces]]
            name = "blue"
            org = "other"
            quota = { instances = 4 }
            [[organizations]]
            name = "other"
            suspended = true
            quota = { memory_mb = 100, process_memory_mb = 10, log_bytes_per_second = 1 }
            [[users]]
            name = "eve"
            password = "x"
            role = "none"
            roles = { "other/blue" = "space_auditor" }
        """)
    )

    assert (config.host, config.port, config.ready_file) == ("localhost", 8123, tmp_path / "run/url")
    assert (config.org, config.space, config.speed, config.cell_memory_mb) == ("acme", "prod", 60.0, 1024)
    assert config.enforce_memory is True
    assert (config.has_version(3, 190), config.has_version(3, 191)) == (True, False)
    assert (config.tokens.access_seconds, config.tokens.client_seconds, config.tokens.refresh_seconds) == (60, 120, 240)
    assert config.clients[0].scopes == ("cloud_controller.read",)
    app, other = config.apps
    assert (other.org, other.space, other.routes) == ("other", "blue", ("shop.example.org",))
    assert other.labels == {"tier": "back", "example.org/team": "a"}
    assert other.annotations == {"owner": "ops, second floor"}
    assert (other.services["mq"], other.autoscaler["instance_max_count"]) == ([{"name": "broker"}], 4)
    assert [(each.name, each.process_types) for each in other.sidecars] == [("proxy", ("worker",))]
    assert config.spaces[0].quota.instances == 4
    assert (config.organizations[0].suspended, config.organizations[0].quota.memory_mb) == (True, 100)
    assert (config.users[0].roles.everywhere, config.users[0].roles.spaces) == ("none", {"other/blue": "space_auditor"})
    assert config.places() == [("acme", "prod"), ("other", "blue")]
    assert config.disabled_features == ("app_scaling",)
    assert (app.started, app.cwd, app.env["BROKER"]) == (False, tmp_path / "shop", "redis://localhost")
    assert [(each.type, each.instances, each.health_check_timeout) for each in app.processes] == [
        ("worker", 3, 90),
        ("beat", 1, None),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("apps = 3", "apps is 3: write it as [[apps]]"),
        ("tokens = 3", "tokens is 3: write it as [tokens]"),
        (APP, "nobody could log in: add [[users]]"),
        (LOGIN + '[[apps]]\ncommand = "x"', "apps[0].name is missing: give it a text in quotes"),
        (LOGIN + '[[apps]]\nname = "shop"', "apps[0].command is missing: give it a text in quotes"),
        (LOGIN + APP + APP, "apps: name 'shop' stands there twice"),
        (LOGIN + APP + "instances = -1", "apps[0].instances is -1: give a whole number from 0 to 1000"),
        (LOGIN + APP + "instances = true", "apps[0].instances is True: give a whole number"),
        (LOGIN + APP + "instance = 1", "apps[0].instance is not a key of the emulator: did you mean 'instances'?"),
        (LOGIN + APP + "qqq = 1", "apps[0].qqq is not a key of the emulator: use one of annotations,"),
        (LOGIN + APP + 'type = "a b"', "apps[0].type is 'a b': give letters"),
        (LOGIN + APP + 'state = "started"', "apps[0].state is 'started': give 'STARTED' or 'STOPPED'"),
        (
            LOGIN + APP + 'health_check_type = "tcp"',
            "apps[0].health_check_type is 'tcp': give 'process' or 'port' or 'http'",
        ),
        (LOGIN + APP + 'cwd = "nowhere"', "which is not a folder"),
        (LOGIN + APP + "env = { A = 1 }", "apps[0].env.A is 1: put the value in quotes"),
        (LOGIN + APP + 'env = { PORT = "1" }', "apps[0].env.PORT is set by the platform"),
        (LOGIN + APP + 'env = { VCAP_X = "1" }', "apps[0].env.VCAP_X is set by the platform"),
        (LOGIN + APP + '[[apps.processes]]\ncommand = "x"', "apps[0].command cannot stand beside processes"),
        (LOGIN + '[[apps]]\nname = "shop"\nprocesses = []', "apps[0].processes is empty: give at least one"),
        (LOGIN + LOGIN + APP, "users: name 'ada' stands there twice"),
        ('[[clients]]\nid = "cf"\nsecret = "x"', "clients[0].id is 'cf', which people log in through"),
        ('[[users]]\nname = "ada"', "users[0].password is missing"),
        (LOGIN + "scopes = 1", "users[0].scopes is 1: give a list of texts"),
        ("speed = 0", "speed is 0: give a number above 0"),
        ("grace_seconds = -1", "grace_seconds is -1: give a number from 0 on"),
        ("port = 70000", "port is 70000: give a whole number from 0 to 65535"),
        ('host = "0.0.0.0"', "host is '0.0.0.0': the emulator runs commands, so give a loopback address"),
        ('host = "example.org"', "give a loopback address"),
        ('api_version = "3"', "api_version is '3': give three numbers like '3.228.0'"),
        ('org = ""', "org is '': give a text in quotes that is not empty"),
        ("port = ", "is not valid TOML"),
        (LOGIN + 'role = "boss"', "users[0].role is 'boss': give 'space_developer' or 'space_supporter'"),
        (LOGIN + 'roles = { nowhere = "none" }', "roles of 'ada' name 'nowhere', which is no space"),
        (LOGIN + APP + 'labels = { "a b" = "c" }', "apps[0].labels.a b is 'c': give letters"),
        ('[[organizations]]\nname = "demo"\nsuspended = 1', "organizations[0].suspended is 1: give true or false"),
        ('[[spaces]]\nname = "x"\n[spaces.quota]\nmemory_mb = -1', "spaces[0].quota.memory_mb is -1: give a whole"),
        (LOGIN + APP + "autoscaler = 1", "apps[0].autoscaler is 1: give a table"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_the_fix(write, text, sentence):
    with pytest.raises(EmulatorConfigError) as caught:
        load(write(text))

    assert sentence in str(caught.value)
    assert "emulator.toml" in str(caught.value)
    assert "\n" not in str(caught.value).split("is not valid TOML")[0]


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(EmulatorConfigError, match="cannot be read"):
        load(tmp_path / "none.toml")
