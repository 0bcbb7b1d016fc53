"""
The methods of a client, with their arguments and results; how a call is carried is its subclass's business.

All arguments are keywords. `api_key` and `feed_id` left out are the client's. `format` is one of
`DataFormats`. `data` is text, bytes or a structure. `parameters` are those of the query, described in the
API's documentation. What fails fails as one of `txpachube.errors`, never as a bare None.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeVar, overload

from twisted.internet.defer import Deferred

from txpachube.client import _calls
from txpachube.client._bodies import Data
from txpachube.client._calls import Call, Parameters
from txpachube.fields import DataFormats
from txpachube.structures import (
    Datapoint,
    Datastream,
    Environment,
    EnvironmentList,
    Key,
    KeyList,
    Trigger,
    TriggerList,
    User,
    UserList,
)

__all__ = ["Methods"]

FeedId = int | str
Timestamp = str | datetime
_T = TypeVar("_T")


class Methods(ABC):
    """Every call of the API as a method."""

    @abstractmethod
    def _perform(
        self,
        call: Call[_T],
        api_key: str | None,
        format: str = DataFormats.JSON,  # noqa: A002 - the public API's own word
        data: object = None,
        parameters: Parameters | None = None,
        **ids: Any,
    ) -> Deferred[_T]:
        """Make the call; fires with its result."""

    # Feeds

    def list_feeds(
        self,
        api_key: str | None = None,
        format: str = DataFormats.JSON,  # noqa: A002 - as above
        parameters: Parameters | None = None,
    ) -> Deferred[EnvironmentList]:
        """
        Find feeds; fires with one page of them.

        Args:
            api_key: in place of the client's.
            format: JSON, XML or CSV.
            parameters: ``q``, ``tag``, ``user``, ``units``, ``status`` (``live``, ``frozen``), ``lat`` and
                ``lon`` with ``distance``, ``order``; ``content`` (``summary``: without datastreams);
                ``page`` and ``per_page`` (at most 1000).
        """
        return self._perform(_calls.LIST_FEEDS, api_key, format, parameters=parameters)

    def create_feed(
        self,
        api_key: str | None = None,
        format: str = DataFormats.JSON,  # noqa: A002 - as above
        data: Data | None = None,
    ) -> Deferred[str]:
        """Create a feed; fires with its id. The API has no CSV here."""
        return self._perform(_calls.CREATE_FEED, api_key, format, data)

    def read_feed(
        self,
        api_key: str | None = None,
        feed_id: FeedId | None = None,
        format: str = DataFormats.JSON,  # noqa: A002 - as above
        parameters: Parameters | None = None,
    ) -> Deferred[Environment]:
        """
        Read a feed, with its history when the parameters ask for it. CSV carries the values only.

        Args:
            api_key: in place of the client's.
            feed_id: in place of the client's.
            format: JSON, XML or CSV.
            parameters: ``datastreams`` (ids; only these are read), ``show_user``, ``timezone``; for the
                history two of ``start``, ``end``, ``duration`` (``"6hours"``), and ``interval`` (seconds),
                ``interval_type``, ``find_previous``, ``limit`` (at most 1000), ``function``; ``time`` for
                the values of one moment.
        """
        return self._perform(_calls.READ_FEED, api_key, format, parameters=parameters, feed_id=feed_id)

    def update_feed(
        self,
        api_key: str | None = None,
        feed_id: FeedId | None = None,
        format: str = DataFormats.JSON,  # noqa: A002 - as above
        data: Data | None = None,
    ) -> Deferred[bool]:
        """
        Change a feed and write values of its datastreams; fires with True.

        What is not in the data stays as it is; datastreams that the feed does not have yet are created.
        """
        return self._perform(_calls.UPDATE_FEED, api_key, format, data, feed_id=feed_id)

    def delete_feed(
        self,
        api_key: str | None = None,
        feed_id: FeedId | None = None,
    ) -> Deferred[bool]:
        """Delete a feed and everything in it; fires with True. It cannot be undone."""
        return self._perform(_calls.DELETE_FEED, api_key, feed_id=feed_id)

    # Datastreams

    def create_datastream(
        self,
        api_key: str | None = None,
        feed_id: FeedId | None = None,
        format: str = DataFormats.JSON,  # noqa: A002 - as above
        data: Data | Sequence[Datastream | Mapping[str, Any]] | None = None,
    ) -> Deferred[str]:
        """Create a datastream, or several; fires with the id of the first."""
        return self._perform(_calls.CREATE_DATASTREAM, api_key, format, data, feed_id=feed_id)

    @overload
    def read_datastream(
        self,
        api_key: str | None = None,
        feed_id: FeedId | None = None,
        datastream_id: str | None = None,
        format: Literal["json", "xml", "csv"] = DataFormats.JSON,
        parameters: Parameters | None = None,
    ) -> Deferred[Datastream]: ...

    @overload
    def read_datastream(
        self,
        api_key: str | None = None,
        feed_id: FeedId | None = None,
        datastream_id: str | None = None,
        *,
        format: Literal["png"],
        parameters: Parameters | None = None,
    ) -> Deferred[bytes]: ...

    @overload
    def read_datastream(
        self,
        api_key: str | None = None,
        feed_id: FeedId | None = None,
        datastream_id: str | None = None,
        format: str = DataFormats.JSON,
        parameters: Parameters | None = None,
    ) -> Deferred[Any]: ...  # of a format that is only known when the program runs

    def read_datastream(
        self,
        api_key: str | None = None,
        feed_id: FeedId | None = None,
        datastream_id: str | None = None,
        format: str = DataFormats.JSON,  # noqa: A002 - as above
        parameters: Parameters | None = None,
    ) -> Deferred[Datastream] | Deferred[bytes]:
        """
        Read a datastream, with its history when the parameters ask for it; in PNG, a graph of it.

        Args:
            api_key: in place of the client's.
            feed_id: in place of the client's.
            datastream_id: of the datastream.
            format: JSON, XML, CSV, or PNG for the bytes of an image.
            parameters: for the history as in `read_feed`; for a graph also ``width``, ``height``,
                ``colour``, ``title``, ``legend``, ``show_axis_labels``, ``detailed_grid``, ``scale``.
        """
        if format == DataFormats.PNG:
            return self._perform(
                _calls.READ_GRAPH,
                api_key,
                format,
                None,
                parameters,
                feed_id=feed_id,
                datastream_id=datastream_id,
            )
        return self._perform(
            _calls.READ_DATASTREAM,
            api_key,
            format,
            None,
            parameters,
            feed_id=feed_id,
            datastream_id=datastream_id,
        )

    def update_datastream(
        self,
        api_key: str | None = None,
        feed_id: FeedId | None = None,
        datastream_id: str | None = None,
        format: str = DataFormats.JSON,  # noqa: A002 - as above
        data: Data | None = None,
    ) -> Deferred[bool]:
        """Change a datastream that exists, or write its value; fires with True."""
        return self._perform(
            _calls.UPDATE_DATASTREAM, api_key, format, data, feed_id=feed_id, datastream_id=datastream_id
        )

    def delete_datastream(
        self,
        api_key: str | None = None,
        feed_id: FeedId | None = None,
        datastream_id: str | None = None,
    ) -> Deferred[bool]:
        """Delete a datastream with its history; fires with True."""
        return self._perform(_calls.DELETE_DATASTREAM, api_key, feed_id=feed_id, datastream_id=datastream_id)

    # Datapoints

    def create_datapoints(
        self,
        api_key: str | None = None,
        feed_id: FeedId | None = None,
        datastream_id: str | None = None,
        format: str = DataFormats.JSON,  # noqa: A002 - as above
        data: Data | Sequence[Datapoint | Mapping[str, Any]] | None = None,
    ) -> Deferred[bool]:
        """
        Add datapoints to a history, at most 500 at a time; fires with True.

        A datapoint of a time that is already there is overwritten.
        """
        return self._perform(
            _calls.CREATE_DATAPOINTS, api_key, format, data, feed_id=feed_id, datastream_id=datastream_id
        )

    def read_datapoint(
        self,
        api_key: str | None = None,
        feed_id: FeedId | None = None,
        datastream_id: str | None = None,
        format: str = DataFormats.JSON,  # noqa: A002 - as above
        timestamp: Timestamp | None = None,
    ) -> Deferred[Datapoint | None]:
        """Read the datapoint of exactly this moment; fires with None when there is none."""
        return self._perform(
            _calls.READ_DATAPOINT, api_key, format, feed_id=feed_id, datastream_id=datastream_id, at=timestamp
        )

    def update_datapoint(
        self,
        api_key: str | None = None,
        feed_id: FeedId | None = None,
        datastream_id: str | None = None,
        format: str = DataFormats.JSON,  # noqa: A002 - as above
        timestamp: Timestamp | None = None,
        data: Data | None = None,
    ) -> Deferred[bool]:
        """Change the value of a datapoint that exists; fires with True."""
        return self._perform(
            _calls.UPDATE_DATAPOINT,
            api_key,
            format,
            data,
            feed_id=feed_id,
            datastream_id=datastream_id,
            at=timestamp,
        )

    def delete_datapoint(
        self,
        api_key: str | None = None,
        feed_id: FeedId | None = None,
        datastream_id: str | None = None,
        timestamp: Timestamp | None = None,
    ) -> Deferred[bool]:
        """Delete the datapoint of exactly this moment; fires with True."""
        return self._perform(
            _calls.DELETE_DATAPOINT, api_key, feed_id=feed_id, datastream_id=datastream_id, at=timestamp
        )

    def delete_datapoints(
        self,
        api_key: str | None = None,
        feed_id: FeedId | None = None,
        datastream_id: str | None = None,
        parameters: Parameters | None = None,
    ) -> Deferred[bool]:
        """Delete the datapoints between ``start`` and ``end``, or of a ``duration``; fires with True."""
        return self._perform(
            _calls.DELETE_DATAPOINTS,
            api_key,
            parameters=parameters,
            feed_id=feed_id,
            datastream_id=datastream_id,
        )

    # Triggers

    def list_triggers(
        self,
        api_key: str | None = None,
        format: str = DataFormats.JSON,  # noqa: A002 - as above
        parameters: Parameters | None = None,
    ) -> Deferred[TriggerList]:
        """Read the triggers of the account."""
        return self._perform(_calls.LIST_TRIGGERS, api_key, format, parameters=parameters)

    def create_trigger(
        self,
        api_key: str | None = None,
        format: str = DataFormats.JSON,  # noqa: A002 - as above
        data: Data | None = None,
    ) -> Deferred[str]:
        """Create a trigger; fires with its id."""
        return self._perform(_calls.CREATE_TRIGGER, api_key, format, data)

    def read_trigger(
        self,
        api_key: str | None = None,
        trigger_id: int | str | None = None,
        format: str = DataFormats.JSON,  # noqa: A002 - as above
    ) -> Deferred[Trigger]:
        """Read a trigger."""
        return self._perform(_calls.READ_TRIGGER, api_key, format, trigger_id=trigger_id)

    def update_trigger(
        self,
        api_key: str | None = None,
        trigger_id: int | str | None = None,
        format: str = DataFormats.JSON,  # noqa: A002 - as above
        data: Data | None = None,
    ) -> Deferred[bool]:
        """Change a trigger; fires with True."""
        return self._perform(_calls.UPDATE_TRIGGER, api_key, format, data, trigger_id=trigger_id)

    def delete_trigger(
        self,
        api_key: str | None = None,
        trigger_id: int | str | None = None,
    ) -> Deferred[bool]:
        """Delete a trigger; fires with True."""
        return self._perform(_calls.DELETE_TRIGGER, api_key, trigger_id=trigger_id)

    # Users

    def list_users(
        self,
        api_key: str | None = None,
        format: str = DataFormats.JSON,  # noqa: A002 - as above
        parameters: Parameters | None = None,
    ) -> Deferred[UserList]:
        """Read the users of the account."""
        return self._perform(_calls.LIST_USERS, api_key, format, parameters=parameters)

    def create_user(
        self,
        api_key: str | None = None,
        format: str = DataFormats.JSON,  # noqa: A002 - as above
        data: Data | None = None,
    ) -> Deferred[str]:
        """Create a user; fires with the login."""
        return self._perform(_calls.CREATE_USER, api_key, format, data)

    def read_user(
        self,
        api_key: str | None = None,
        user_id: str | None = None,
        format: str = DataFormats.JSON,  # noqa: A002 - as above
    ) -> Deferred[User]:
        """Read a user, named by the login."""
        return self._perform(_calls.READ_USER, api_key, format, login=user_id)

    def update_user(
        self,
        api_key: str | None = None,
        user_id: str | None = None,
        format: str = DataFormats.JSON,  # noqa: A002 - as above
        data: Data | None = None,
    ) -> Deferred[bool]:
        """Change a user; fires with True."""
        return self._perform(_calls.UPDATE_USER, api_key, format, data, login=user_id)

    def delete_user(
        self,
        api_key: str | None = None,
        user_id: str | None = None,
    ) -> Deferred[bool]:
        """Delete a user; fires with True."""
        return self._perform(_calls.DELETE_USER, api_key, login=user_id)

    # Keys

    def list_api_keys(
        self,
        api_key: str | None = None,
        format: str = DataFormats.JSON,  # noqa: A002 - as above
        parameters: Parameters | None = None,
    ) -> Deferred[KeyList]:
        """Read the keys of the account."""
        return self._perform(_calls.LIST_API_KEYS, api_key, format, parameters=parameters)

    def create_api_key(
        self,
        api_key: str | None = None,
        format: str = DataFormats.JSON,  # noqa: A002 - as above
        data: Data | None = None,
    ) -> Deferred[str]:
        """Create a key; fires with its text."""
        return self._perform(_calls.CREATE_API_KEY, api_key, format, data)

    def read_api_key(
        self,
        api_key: str | None = None,
        key_id: str | None = None,
        format: str = DataFormats.JSON,  # noqa: A002 - as above
    ) -> Deferred[Key]:
        """Read a key, named by its text."""
        return self._perform(_calls.READ_API_KEY, api_key, format, key=key_id)

    def update_api_key(
        self,
        api_key: str | None = None,
        key_id: str | None = None,
        format: str = DataFormats.JSON,  # noqa: A002 - as above
        data: Data | None = None,
    ) -> Deferred[bool]:
        """Change a key; fires with True."""
        return self._perform(_calls.UPDATE_API_KEY, api_key, format, data, key=key_id)

    def regenerate_api_key(
        self,
        api_key: str | None = None,
        key_id: str | None = None,
    ) -> Deferred[str]:
        """Give a key a new text, with the same rights; fires with the new text. The old one is void."""
        return self._perform(_calls.REGENERATE_API_KEY, api_key, key=key_id)

    def delete_api_key(
        self,
        api_key: str | None = None,
        key_id: str | None = None,
    ) -> Deferred[bool]:
        """Delete a key; fires with True."""
        return self._perform(_calls.DELETE_API_KEY, api_key, key=key_id)
