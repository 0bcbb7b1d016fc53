"""
Print the account's keys and what each of them may do. Needs a master key.

    PACHUBE_API_KEY=... python examples/view_keys.py
"""

from twisted.internet.task import react

from txpachube.client import Client


async def main(reactor: object) -> None:
    keys = await Client(reactor=reactor).list_api_keys()
    for key in keys.keys:
        print(f"{key.label}{' (private)' if key.private_access else ''}")
        for permission in key.permissions or []:
            where = ", ".join(f"feed {resource.feed_id}" for resource in permission.resources or [])
            print(f"  {' '.join(permission.access_methods or [])}  {where or 'everything'}")


if __name__ == "__main__":
    react(main)
