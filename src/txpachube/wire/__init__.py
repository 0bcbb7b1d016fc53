"""
Protocols as state machines: bytes in, events and bytes out.

Nothing in this package opens a socket, looks at a clock or imports Twisted.
A transport feeds what it receives to ``receive(data)`` and acts on the events it gets back;
the machines that answer on their own collect the answer for ``data_to_send()``.

``jsonstream``
    cuts a TCP stream into JSON objects.
``paws``, ``paws_calls``, ``paws_subscriptions``
    the messages of the socket server: as the service sees them, as a client sees them, and the
    table of what a connection is subscribed to.
``mqtt_packets``, ``mqtt_session``
    the packets of MQTT 3.1 and 3.1.1 in both directions, and one connection as the bridge sees it.
``sloppy_http``
    turns what old devices send into HTTP that a strict parser takes.
``resources``
    the texts that name a resource outside of HTTP: on sockets and in topics.

All of them keep the same three promises, and the tests state them.
However the bytes are cut into chunks, the events are the same.
The time is linear in the number of bytes, and the memory is bounded by a named limit.
``receive`` never raises because of what the peer sent: a violation is an event like any other.
"""
