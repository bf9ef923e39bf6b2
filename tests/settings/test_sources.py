"""Where settings come from, and the one sentence that answers each mistake."""

import pytest

from celeriac.core.errors import SettingsError
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import Mode
from celeriac.settings import Settings, read

SECRET = "hunter2"
FILE = f"""
store = "data"

[console]
port = 8080

[[platform]]
name = "our-cf"
api = "https://api.example.com"
org = "shop"
space = "prod"
username = "robot"
password = "{SECRET}-file"

[[cluster]]
name = "orders"
broker = "redis://:{SECRET}@broker:6379/0"
platform = "our-cf"
apps = ["orders-worker", "orders:beat"]

[heal]
mode = "observe"
silent = 20
"""
BARE = '[[cluster]]\nname = "orders"\nbroker = "redis://broker"\n'


@pytest.fixture
def settings(tmp_path):
    """Read such a file with such variables and flags."""

    def of(text=FILE, /, environ=None, **flags) -> Settings:
        path = tmp_path / "celeriac.toml"
        path.write_text(text)
        return read(path, flags, environ or {})

    return of


@pytest.fixture
def refusal(settings):
    """Return the sentence that answers a mistake."""

    def of(text=FILE, /, environ=None, **flags) -> str:
        with pytest.raises(SettingsError) as error:
            settings(text, environ, **flags)
        sentence = str(error.value)
        assert "\n" not in sentence
        assert sentence.endswith(".")
        assert SECRET not in sentence
        return sentence

    return of


# Sources -------------------------------------------------------------------------------------------------------------


def test_a_file_is_enough(settings):
    """Every table of the file is read, and what it leaves out has its default."""
    found = settings()

    assert (str(found.store), found.console.port, found.console.host) == ("data", 8080, "127.0.0.1")
    assert (found.cluster[0].name, found.cluster[0].apps) == ("orders", ("orders-worker", "orders:beat"))
    assert found.platform[0].password.get_secret_value() == f"{SECRET}-file"
    assert (found.heal.mode, found.heal.silent, found.heal.cooldown) == (Mode.OBSERVE, 20, 600)
    assert found.cluster[0].broker_kind == "redis"


def test_a_variable_outdoes_the_file(settings):
    """`CELERIAC_MODE` is short for `CELERIAC_HEAL__MODE`; both take text."""
    assert settings(FILE, {"CELERIAC_MODE": "auto"}).heal.mode is Mode.AUTO
    assert settings(FILE, {"CELERIAC_HEAL__MODE": "auto", "CELERIAC_HEAL__SILENT": "45"}).heal.silent == 45
    assert settings(FILE, {"CELERIAC_PORT": "0", "CELERIAC_HOST": "::1"}).console.host == "::1"


def test_a_flag_outdoes_a_variable(settings):
    """Default, file, variable, flag: the later one wins, and a flag that was not given counts for nothing."""
    environ = {"CELERIAC_CONSOLE__PORT": "9000"}

    assert settings(BARE).console.port == 5555
    assert settings(FILE).console.port == 8080
    assert settings(FILE, environ).console.port == 9000
    assert settings(FILE, environ, console__port=None).console.port == 9000
    assert settings(FILE, environ, console__port=9001, heal__mode="auto").console.port == 9001


def test_a_variable_names_a_table_by_its_name(settings):
    """Where tables stand in a list their name is part of the variable; its dashes are underscores there."""
    environ = {
        "CELERIAC_PLATFORM__OUR_CF__PASSWORD": "from the environment",
        "CELERIAC_CLUSTER__ORDERS__BROKER": "rediss://elsewhere:6380/1",
    }
    found = settings(FILE, environ)

    assert found.platform[0].password.get_secret_value() == "from the environment"
    assert found.cluster[0].broker.get_secret_value() == "rediss://elsewhere:6380/1"


@pytest.mark.parametrize("query", ["", "/0", "/1?ssl_cert_reqs=none", "?ssl_cert_reqs=required&ssl_ca_certs=/ca.pem"])
def test_a_broker_is_written_as_the_workers_have_it(settings, query):
    """The number of the database and what Celery knows of TLS may stand in the URL."""
    broker = settings(BARE.replace("redis://broker", f"rediss://broker{query}")).cluster[0].broker

    assert broker.get_secret_value() == f"rediss://broker{query}"


def test_a_section_that_the_file_leaves_out_can_be_set(settings):
    """A variable makes the table that it needs."""
    assert settings(BARE, {"CELERIAC_HEAL__COOLDOWN": "60", "CELERIAC_STORE": "/data"}).heal.cooldown == 60


@pytest.mark.parametrize(
    ("store", "directory"), [("/data", "/data"), ("sqlite:///data", "data"), ("sqlite:////data", "/data")]
)
def test_the_store_is_a_directory_or_its_url(settings, store, directory):
    """As everywhere in SQLAlchemy, a fourth slash makes it absolute."""
    assert str(settings(BARE, {}, store=store).store) == directory


def test_the_clients_variables_and_those_of_others_are_no_settings(settings):
    """The command line's own variables, and everybody else's, are left alone."""
    environ = {"CELERIAC_URL": "http://x", "CELERIAC_TOKEN": "x", "CELERIAC_CONFIG": "x", "HOME": "/", "CELERIACX": "y"}
    environ["CELERIAC_BROKER"] = "redis://x"  # what `celeriac observe` listens to

    assert settings(BARE, environ).cluster[0].name == "orders"


def test_without_a_file_a_cluster_is_missing():
    """There is no cluster by default."""
    with pytest.raises(SettingsError, match="The setting cluster is missing"):
        read(None, {}, {})


# Mistakes ------------------------------------------------------------------------------------------------------------

MISTAKES = {
    "mode": (FILE.replace("observe", "sometimes"), "The setting heal.mode: Input should be 'observe', 'approve' or 'auto'."),
    "number": (FILE.replace("silent = 20", 'silent = "long"'), "The setting heal.silent: "),
    "negative": (FILE.replace("silent = 20", "silent = -1"), "The setting heal.silent: Input should be greater than 0."),
    "no number": (FILE.replace("silent = 20", "silent = nan"), "The setting heal.silent: "),
    "endless": (FILE.replace("silent = 20", "lease = inf"), "The setting heal.lease: "),
    "share": (FILE + "budget_share = 1.5\n", "The setting heal.budget_share: Input should be less than or equal to 1."),
    "port": (FILE.replace("8080", "70000"), "The setting console.port: Input should be less than or equal to 65535."),
    "address": (FILE.replace("port = 8080", 'host = "0.0.0.0"'), "console.host '0.0.0.0' can be reached"),
    "hostname": (FILE.replace("port = 8080", 'host = "example.com"'), "console.host 'example.com' can be"),
    "broker": (FILE.replace("redis://", "http://"), "The setting cluster.orders.broker: names a transport that is not known"),
    "broker without host": (BARE.replace("redis://broker", "redis://"), "it looks like redis://host:6379/0."),
    "broker port": (BARE.replace("broker\"\n", "broker:hunter2\"\n"), "The setting cluster.orders.broker: "),
    "broker path": (BARE.replace("redis://broker", "redis://broker/name"), "broker: must end with the number of a database"),
    "broker option": (
        BARE.replace("redis://broker", "redis://broker/0?socket_timeout=5"), "broker: has the option socket_timeout, which",
    ),
    "broker certificate": (
        BARE.replace("redis://broker", "rediss://broker/0?ssl_cert_reqs=maybe"), "broker: has an ssl_cert_reqs that is not none, optional or required",
    ),
    "api": (FILE.replace("https://api", "ftp://api"), "The setting platform.our-cf.api: is not a URL that can be used here"),
    "no login": (FILE.replace("username", "client_id"), "The setting platform.our-cf: give either username and password,"),
    "half a login": (FILE.replace('username = "robot"\n', ""), "The setting platform.our-cf: give either username and"),
    "name": (FILE.replace('"orders"\nbroker', '"Orders!"\nbroker'), "The setting cluster.Orders!.name: "),
    "missing": (FILE.replace('org = "shop"\n', ""), "The setting platform.our-cf: org is missing; only with cf_login may it be left out."),
    "no platform": (FILE.replace('platform = "our', 'platform = "other'), "'other-cf', and there is no such [[platform]]."),
    "apps without platform": (BARE + 'apps = ["x"]\n', "must have both platform and apps (or app_labels), or neither."),
    "platform without apps": (
        FILE.replace('apps = ["orders-worker", "orders:beat"]\n', ""), "must have both platform and apps (or app_labels), or neither.",
    ),
    "two of a name": (BARE + BARE, "two [[cluster]] tables have the name 'orders'."),
    "no cluster": ("cluster = []\n", "There is no [[cluster]]: name at least one with its name and broker."),
    "unknown": (FILE.replace("silent =", "silnt ="), "There is no setting heal.silnt; did you mean silent?."),
    "unknown at the top": ("heall = 1\n" + BARE, "There is no setting heall; did you mean heal?."),
    "unknown in a list": (FILE.replace("username", "usrname"), "There is no setting platform.our-cf.usrname; did you mean"),
    "like nothing": (FILE.replace("silent =", "xyzzy ="), "There is no setting heal.xyzzy; there are: mode, cycle,"),
    "a table that is none": ("heal = 3\n" + BARE, "The setting heal: "),
    "a list that is none": (BARE.replace("[[cluster]]", "[cluster]"), "There is no [[cluster]]: name at least one"),
    "store elsewhere": (
        FILE.replace('"data"', '"postgresql://ana:hunter2@host/db"'),
        "The setting store: must be a directory, also as sqlite:///directory; there is no other kind of store.",
    ),
    "store with too few slashes": (FILE.replace('"data"', '"sqlite://data"'), "The setting store: must be a directory"),
    "no store": (FILE.replace('"data"', '"sqlite:///"'), "The setting store: must be a directory"),
    "no TOML": ("store = \n", "is not valid TOML: "),
}  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_the_file_is_one_sentence(refusal, text, sentence):
    """It names the setting and the fix, and never quotes what may be a secret."""
    assert sentence.rstrip(".") in refusal(text)


VARIABLES = {
    "unknown table": (
        "CELERIAC_PLATFORM__OTHER__PASSWORD",
        "names the table 'other', and the settings file has none of",
    ),
    "unknown section": ("CELERIAC_HEALL__MODE", "There is no setting heall"),
    "unknown setting": ("CELERIAC_CONSOLE__PRT", "There is no setting console.prt; did you mean port?"),
    "no setting of a table": ("CELERIAC_PLATFORM__PASSWORD", "CELERIAC_PLATFORM__PASSWORD does not name a setting"),
    "below a setting": ("CELERIAC_HEAL__MODE__MORE", "CELERIAC_HEAL__MODE__MORE does not name a setting"),
    "below the store": ("CELERIAC_STORE__MORE__AND_MORE", "CELERIAC_STORE__MORE__AND_MORE does not name a setting"),
    "wrong value": ("CELERIAC_HEAL__SILENT", "The setting heal.silent: "),
}


@pytest.mark.parametrize(("name", "sentence"), VARIABLES.values(), ids=VARIABLES)
def test_a_mistake_in_a_variable_is_one_sentence(refusal, name, sentence):
    """A variable that names nothing is answered like a wrong line of the file; its value is never shown."""
    assert sentence in refusal(FILE, {name: SECRET})


def test_a_list_that_holds_no_tables(refusal):
    """A variable finds no table of its name in a list of something else."""
    sentence = refusal('cluster = ["orders"]\n', {"CELERIAC_CLUSTER__ORDERS__BROKER": SECRET})

    assert (
        sentence
        == "CELERIAC_CLUSTER__ORDERS__BROKER names the table 'orders', and the settings file has none of that name."
    )


@pytest.mark.parametrize("key", ["password", "client_secret"])
def test_a_secret_of_the_wrong_kind_is_not_quoted(refusal, key):
    """A secret may be given as a number by mistake."""
    assert f"platform.our-cf.{key}" in refusal(FILE.replace(f'password = "{SECRET}-file"', f'{key} = ["{SECRET}"]'))


def test_a_wrong_flag_is_one_sentence(refusal):
    """Flags are checked as everything else is."""
    assert "console.port" in refusal(FILE, None, console__port=99999)


def test_a_file_that_is_not_there(tmp_path):
    """Its name is what the person needs."""
    with pytest.raises(SettingsError, match=r"There is no settings file .*nowhere\.toml; name one with --config\."):
        read(tmp_path / "nowhere.toml", {}, {})


@pytest.mark.parametrize("content", [b"\xff\xfe", None], ids=["no text", "a directory"])
def test_a_file_that_cannot_be_read(tmp_path, content):
    """Neither its bytes nor a traceback are shown."""
    path = tmp_path / "celeriac.toml"
    path.mkdir() if content is None else path.write_bytes(content)

    with pytest.raises(SettingsError, match="cannot be read"):
        read(path, {}, {})


# Meaning -------------------------------------------------------------------------------------------------------------


def test_secrets_do_not_show(settings):
    """Neither the repr nor the text of any part shows a secret."""
    found = settings(FILE)

    assert SECRET not in repr(found) + str(found) + repr(found.platform[0]) + repr(found.cluster[0])
    assert SECRET not in found.model_dump_json()


def test_settings_do_not_change(settings):
    """What was read once stays."""
    with pytest.raises(ValueError, match="frozen"):
        settings().heal.silent = 5


def test_the_defaults_are_the_cores_own(settings):
    """One place says when evidence counts: nobody changes a threshold in one of the two only."""
    heal = settings(BARE).heal

    assert heal.limits() == Limits()
    assert heal.policy(heal.mode, None) == Policy()


def test_every_threshold_reaches_the_core(settings):
    """Each setting of `[heal]` is the core's threshold of the same meaning."""
    names = {"silent_s": "silent", "settle_s": "settle", "may_block_s": "may_block", "recovered_s": "recovered"}
    names |= {"drain_deadline_s": "drain_deadline", "start_deadline_s": "start_deadline"}
    names |= {"verify_least_s": "verify_least", "suspect_beats": "suspect_beats", "silent_beats": "silent_beats"}
    given = {name: 100 + number for number, name in enumerate(names.values())}
    text = BARE + "[heal]\n" + "".join(f"{name} = {value}\n" for name, value in given.items())

    limits = settings(text).heal.limits()

    assert {core: getattr(limits, core) for core in names} == {core: given[name] for core, name in names.items()}


def test_what_the_keeper_may_do_reaches_the_core(settings):
    """Mode and pause are the moment's; the rest is the file's."""
    text = BARE + "[heal]\ncooldown = 5\nbudget_share = 0.5\nbudget_per_hour = 2\nquorum_share = 0.2\n"

    policy = settings(text).heal.policy(Mode.AUTO, "ana is looking")

    assert policy == Policy(Mode.AUTO, "ana is looking", 5, 0.5, 2, 0.2)
