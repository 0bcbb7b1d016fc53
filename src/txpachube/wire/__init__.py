"""
Protocols as state machines: bytes in, events and bytes out.

Nothing in this package opens a socket, looks at a clock or imports Twisted.
A transport feeds what it receives to ``receive(data)`` and acts on the events it gets back;
the machines that answer on their own collect the answer for ``data_to_send()``.

``jsonstream``
    cuts a TCP stream into JSON objects.
``paws``, ``paws_answers``, ``paws_subscriptions``, ``paws_calls``
    the messages of the socket server: what clients send, what the service sends, what a connection is
    subscribed to, and all of it as a client sees it.
``mqtt_packets``, ``mqtt_encode``, ``mqtt_decode``
    the packets of MQTT 3.1 and 3.1.1 in both directions.
``mqtt_session``, ``mqtt_events``, ``mqtt_topics``
    one MQTT connection as the bridge sees it, what it tells the transport, and what its topics mean.
``sloppy_http``, ``sloppy_head``
    turn what old devices send into HTTP that a strict parser takes.
``resources``
    the texts that name a resource outside of HTTP: on sockets and in topics.

All of them keep the same three promises, and the tests state them.
However the bytes are cut into chunks, the events are the same.
The time is linear in the number of bytes, and the memory is bounded by a named limit.
``receive`` never raises because of what the peer sent: a violation is an event like any other.
"""
