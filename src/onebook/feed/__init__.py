"""Readers of the log: listeners, durable subscribers, the bus, routes and sinks. They never slow the writer."""
