"""Makes ``twist pachube`` known; Twisted reads every file of directories with this name."""

from twisted.application.service import ServiceMaker

pachube = ServiceMaker(
    "Pachube",
    "txpachube.cli.twisted_plugin",
    "The Pachube / Cosm / Xively API: a service for feeds of sensor data.",
    "pachube",
)
