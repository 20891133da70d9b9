"""Fixtures that several folders of tests share."""

pytest_plugins = ["tests.workspace", "tests.object_stores"]
