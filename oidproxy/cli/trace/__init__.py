"""`oidproxy trace`: each action is a module, and `group` knows them all."""
