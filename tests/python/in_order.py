"""The blocking clients start a thread for each message, and so its parts, or it and
the next one, may be handled in any order. Here they are handled as they come."""


def in_order(engine):
    """The same class of Engine.IO client, with one thread for all messages."""

    class InOrder(engine):
        def _trigger_event(self, event, *args, **kwargs):
            kwargs["run_async"] = False
            return super()._trigger_event(event, *args, **kwargs)

    return InOrder
