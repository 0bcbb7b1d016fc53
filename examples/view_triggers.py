"""
Print the account's triggers: what they watch, and whom they tell.

    PACHUBE_API_KEY=... python examples/view_triggers.py
"""

from twisted.internet.task import react

from txpachube.client import Client


async def main(reactor: object) -> None:
    triggers = await Client(reactor=reactor).list_triggers()
    for trigger in triggers.triggers:
        condition = f"{trigger.trigger_type} {trigger.threshold_value or ''}".rstrip()
        print(
            f"{trigger.id}: feed {trigger.environment_id}, {trigger.stream_id} {condition} -> {trigger.url}"
        )


if __name__ == "__main__":
    react(main)
