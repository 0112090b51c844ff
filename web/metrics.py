"""Figures for Prometheus: what this process served, and how the night stands."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.operations import OperationFigures

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The figures of one web process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "paws_web_request_seconds",
            "Time to answer a request",
            ("route", "method", "status"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._clients = Gauge("paws_web_clients", "Websocket clients", registry=self.registry)
        self._seq = Gauge("paws_web_status_seq", "Newest status event sent", registry=self.registry)
        self._frames = Gauge(
            "paws_frames", "Frames of the newest night by state", ("state",), registry=self.registry
        )
        self._reductions = Gauge(
            "paws_reductions",
            "Reductions of the newest night by kind and state",
            ("kind", "state"),
            registry=self.registry,
        )
        self._queue = Gauge(
            "paws_queue_depth", "Reductions not taken by a runner yet", registry=self.registry
        )
        self._running = Gauge("paws_reductions_running", "Reductions at work", registry=self.registry)
        self._waiting = Gauge("paws_outbox_waiting", "Events not published yet", registry=self.registry)
        self._lag = Gauge(
            "paws_outbox_lag_seconds", "Age of the oldest event not published yet", registry=self.registry
        )
        self._asked = Gauge(
            "paws_requests", "Requests of the last week by state", ("state",), registry=self.registry
        )
        self._webhooks = Gauge(
            "paws_webhooks_waiting", "Messages of webhooks not delivered yet", registry=self.registry
        )
        self._queries = Gauge(
            "paws_tap_queries", "Synchronous queries by state", ("state",), registry=self.registry
        )
        self._up = Gauge("paws_database_up", "Whether the database answers", registry=self.registry)
        self.operations = OperationFigures(self.registry)

    def set_feed(self, clients: int, seq: int) -> None:
        """Note how the hub stands."""
        self._clients.set(clients)
        self._seq.set(seq)

    def set_queries(self, working: int, waiting: int) -> None:
        """Note how many queries are at work, and how many wait their turn."""
        _fill(self._queries, [(("working",), working), (("waiting",), waiting)])

    def set_database(self, figures: Mapping[str, Any] | None) -> None:
        """Note what the database says, or that it does not answer."""
        self._up.set(0 if figures is None else 1)
        if figures is None:
            return
        _fill(self._frames, figures["frames"])
        _fill(self._reductions, figures["reductions"])
        _fill(self._asked, figures["requests"])
        self._webhooks.set(figures["webhooks"])
        self._queue.set(figures["queued"])
        self._running.set(figures["running"])
        self._waiting.set(figures["outbox_waiting"])
        self._lag.set(figures["outbox_lag"])

    def text(self) -> bytes:
        """All figures in Prometheus's text format."""
        return generate_latest(self.registry)


def _fill(gauge: Gauge, rows: Iterable[tuple[tuple[str, ...], int]]) -> None:
    gauge.clear()
    for labels, value in rows:
        gauge.labels(*labels).set(value)


class RequestTimes:
    """Middleware that measures requests by route, so that identifiers do not become labels."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, measuring it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        status = 500

        async def send_noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in ("GET", "HEAD") else "other"
            self._metrics.requests.labels(route, method, str(status)).observe(time.perf_counter() - begun)
