"""Which table of settings a `[[platform]]` is, and what people are told when it is neither."""

import pytest

from celeriac.core.errors import SettingsError
from celeriac.settings import LocalPlatformSettings, PlatformSettings, read

CLUSTER = '[[cluster]]\nname = "demo"\nbroker = "redis://127.0.0.1:6379/0"\nplatform = "here"\napps = ["orders"]\n'
FOUNDATION = 'api = "https://api.example.com"\norg = "o"\nspace = "s"\nusername = "u"\npassword = "p"\n'


@pytest.fixture
def platform(tmp_path):
    def parsed(text):
        path = tmp_path / "celeriac.toml"
        path.write_text(f'[[platform]]\nname = "here"\n{text}{CLUSTER}')
        return read(path, {}).platform[0]

    return parsed


def test_a_local_platform_names_its_socket(platform):
    found = platform('kind = "local"\nsocket = "/run/orders.sock"\n')
    assert isinstance(found, LocalPlatformSettings)
    assert str(found.socket) == "/run/orders.sock"


def test_without_a_kind_it_is_cloud_foundry(platform):
    assert isinstance(platform(FOUNDATION), PlatformSettings)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('kind = "local"\n', r"^The setting platform\.here\.socket is missing\.$"),
        (
            'kind = "local"\nsocket = "/s"\nsockt = 1\n',
            r"^There is no setting platform\.here\.sockt; did you mean socket\?",
        ),
        ('kind = "systemd"\n', r"^The setting platform\.here: its kind is either cloudfoundry or local\.$"),
        (FOUNDATION.replace("api", "url"), r"^There is no setting platform\.here\.url; "),
    ],
)
def test_what_does_not_fit_is_one_sentence(platform, text, sentence):
    with pytest.raises(SettingsError, match=sentence):
        platform(text)


def test_labels_choose_no_app_where_no_platform_has_labels(tmp_path):
    path = tmp_path / "celeriac.toml"
    labelled = CLUSTER.replace('apps = ["orders"]', 'app_labels = "celery=yes"')
    path.write_text(f'[[platform]]\nname = "here"\nkind = "local"\nsocket = "/s"\n{labelled}')
    with pytest.raises(SettingsError, match=r"'demo' has app_labels, and no platform of it has labels"):
        read(path, {})
