"""What the emulated foundation of these tests holds."""

from celeriac.emulator import AppConfig, ClientConfig, EmulatorConfig, ProcessConfig, UserConfig

SLEEPER = "exec sleep 1000"


def configured(*apps: AppConfig, **settings) -> EmulatorConfig:
    """Describe an emulator with these apps, which ada may change and eve may only see."""
    return EmulatorConfig(
        apps=apps or (AppConfig("shop", (ProcessConfig(SLEEPER),)),),
        users=(UserConfig("ada", "secret"), UserConfig("eve", "secret", ("cloud_controller.read",))),
        clients=(ClientConfig("robot", "r2d2-secret"),),
        **{"grace_seconds": 1.0, **settings},
    )
