"""The lab's own logic, without the services."""
