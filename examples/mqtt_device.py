"""
A device that speaks MQTT, with paho (``pip install paho-mqtt``): any MQTT library would do.

    PACHUBE_API_KEY=... PACHUBE_FEED_ID=504 python examples/mqtt_device.py [READINGS [SECONDS]]

It reports a temperature, obeys a switch that anybody with the right to it can turn, over whatever door::

    curl -X PUT -H "X-ApiKey: ..." -d 'switch,1' http://127.0.0.1:8000/v2/feeds/504.csv

and when its power fails the service sets its datastream ``online`` to 0, which it left as its will.

There is no broker in between: a topic is a path of the API, what is published is what would be the body of
a PUT, and what is subscribed comes at once and with every update. The key is the user name. A service on
another machine or port is given as ``PACHUBE_MQTT=mqtt://HOST:PORT``.
"""

import os
import sys
import time
from queue import SimpleQueue
from random import uniform
from urllib.parse import urlsplit

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

KEY, NUMBER = os.environ.get("PACHUBE_API_KEY"), os.environ.get("PACHUBE_FEED_ID")
FEED = f"/v2/feeds/{NUMBER}"
SWITCH = f"{FEED}/datastreams/switch.csv"


def connected(
    client: Client,
    answers: SimpleQueue[ReasonCode],
    flags: ConnectFlags,
    reason: ReasonCode,
    properties: Properties | None,
) -> None:
    """Say that we are there, also after a connection was lost and made again."""
    answers.put(reason)
    if reason.is_failure:
        return
    # A PUT of the feed makes the datastreams that don't exist yet.
    client.publish(f"{FEED}.csv", "online,1", qos=1)
    client.subscribe(SWITCH)


def turned(client: Client, userdata: object, message: MQTTMessage) -> None:
    """Obey the switch: the payload is its time and its value."""
    at, _, value = message.payload.decode().partition(",")
    print(f"switch {value} since {at}", flush=True)


def main(readings: int, seconds: float) -> None:
    """Report until told to stop."""
    if not (KEY and NUMBER):
        sys.exit("set PACHUBE_API_KEY and PACHUBE_FEED_ID")
    service = urlsplit(os.environ.get("PACHUBE_MQTT", "mqtt://127.0.0.1:1883"))
    answers: SimpleQueue[ReasonCode] = SimpleQueue()
    client = Client(CallbackAPIVersion.VERSION2, client_id="greenhouse", userdata=answers)
    client.username_pw_set(KEY)
    client.will_set(f"{FEED}.csv", "online,0")
    client.on_connect = connected
    client.on_message = turned
    try:
        client.connect(service.hostname or "127.0.0.1", service.port or 1883)
    except OSError as problem:
        sys.exit(f"no service at {service.geturl()}: {problem}")
    client.loop_start()
    try:
        if (reason := answers.get(timeout=30)).is_failure:
            sys.exit(f"not let in: {reason}")
        while readings:
            temperature = f"{uniform(18, 24):.2f}"  # noqa: S311 - a sensor of sorts
            # It is acknowledged when it has been stored; that it was refused MQTT cannot say.
            sent = client.publish(f"{FEED}.csv", f"temperature,{temperature}", qos=1)
            sent.wait_for_publish(30)
            if not sent.is_published():
                sys.exit("the service does not answer")
            print(f"temperature {temperature}", flush=True)
            readings -= 1
            time.sleep(seconds if readings else 0)
    except KeyboardInterrupt:
        pass
    finally:
        if client.is_connected():
            client.publish(f"{FEED}.csv", "online,0", qos=1).wait_for_publish(5)
        client.disconnect()  # whoever says goodbye leaves no will
        client.loop_stop()


if __name__ == "__main__":
    arguments = [float(text) for text in sys.argv[1:]]
    main(int(arguments[0]) if arguments else -1, arguments[1] if len(arguments) > 1 else 10)
