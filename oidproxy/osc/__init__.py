"""The openstackclient plugin: `--scope`, and commands that ask the proxy what a scope means."""
