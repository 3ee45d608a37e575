"""The official client, pointed at Layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self, overload

import httpx2
from turbopuffer import (
    DEFAULT_MAX_RETRIES,
    DEFAULT_TIMEOUT,
    AsyncTurbopuffer,
    DefaultAsyncHttpxClient,
    NotGiven,
    Timeout,
    not_given,
)
from typing_extensions import override

from .._events import OnEvent
from .._options import Options
from .._runtime.aio import Listing, MeasuredListing
from .._settings import Settings
from .._status import LayerStatus
from .._version import VERSION
from .blobs_perf import AsyncBlobsPerf
from .calls import open_channel
from .documents_perf import AsyncFetchesPerf, AsyncWarmingPerf
from .functions_perf import AsyncFunctionQueuePerf, AsyncFunctionsPerf
from .measured import measured
from .namespace_perf import AsyncLayerNamespace
from .pipeline_queue_perf import AsyncPipelineQueuePerf
from .pipelines_perf import AsyncPipelinesPerf
from .transport import AsyncFallThroughTransport

if TYPE_CHECKING:
    from turbopuffer._types import Body, Headers, Omit, Query


class AsyncHevlayer(
    AsyncFetchesPerf,
    AsyncBlobsPerf,
    AsyncWarmingPerf,
    AsyncPipelinesPerf,
    AsyncPipelineQueuePerf,
    AsyncFunctionsPerf,
    AsyncFunctionQueuePerf,
    AsyncTurbopuffer,
):
    """Turbopuffer's client through Layer, which goes to Turbopuffer directly while Layer is away.

    All that the official client can do is here: `client.namespace("shop").query(...)` and the rest. Layer's own calls are
    methods of the client. Every call takes `with_perf=True`, and answers a `LayerResponse` then: its answer, and how it went.
    Options that are not given come from the environment: `LAYER_GATEWAY_URL` and
    `LAYER_GATEWAY_API_KEY` for Layer, `TURBOPUFFER_API_KEY` with `TURBOPUFFER_BASE_URL` or `TURBOPUFFER_REGION` for the way
    past it. Without a Turbopuffer key there is no way past it: every error is the original one.

    `with_options` and `copy` give clients that share this one's connections and its knowledge of Layer; close one of them,
    and all are closed.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | httpx2.URL | None = None,
        turbopuffer_api_key: str | None = None,
        turbopuffer_base_url: str | None = None,
        turbopuffer_region: str | None = None,
        fallback_to_turbopuffer: bool = True,
        settings: Settings | None = None,
        on_event: OnEvent | None = None,
        layer_transport: httpx2.AsyncBaseTransport | None = None,
        turbopuffer_transport: httpx2.AsyncBaseTransport | None = None,
        default_namespace: str | None = None,
        timeout: float | Timeout | NotGiven | None = not_given,
        max_retries: int = DEFAULT_MAX_RETRIES,
        default_headers: Mapping[str, str] | None = None,
        default_query: Mapping[str, object] | None = None,
        compression: bool = False,
        telemetry: bool | None = None,
        _strict_response_validation: bool = False,
        _shared: AsyncShared | None = None,
    ) -> None:
        """Makes a client; nothing is sent.

        Args:
          api_key: Layer's key. It never goes to Turbopuffer.
          base_url: Layer's address.
          turbopuffer_api_key: Turbopuffer's key. It never goes to Layer.
          turbopuffer_base_url: Turbopuffer's address, for the direct way only.
          turbopuffer_region: Turbopuffer's region, instead of its address.
          fallback_to_turbopuffer: False: never go past Layer.
          settings: Timeouts, breaker, hedges and healing.
          on_event: Told of transitions and of calls that went direct or failed.
          layer_transport: What requests to Layer are sent with.
          turbopuffer_transport: What requests to Turbopuffer are sent with.
          default_namespace: As the official client's, like all that follow.
          timeout: The timeout of a request. To Layer, connecting has a shorter one of its own.
          max_retries: How often a call is tried again. The fall to Turbopuffer is no retry.
          default_headers: Headers of all requests.
          default_query: Parameters of all requests.
          compression: Whether large bodies are compressed.
          telemetry: Whether timings are sent to Turbopuffer.
        """
        self._shared = _shared or AsyncShared(
            Options.of(
                None if base_url is None else str(base_url),
                api_key,
                turbopuffer_base_url,
                turbopuffer_region,
                turbopuffer_api_key,
            ),
            fallback_to_turbopuffer,
            settings or Settings(),
            on_event,
            layer_transport,
            turbopuffer_transport,
            DEFAULT_TIMEOUT if isinstance(timeout, NotGiven) else timeout,
        )
        layer_url = self._shared.options.layer_url
        # The official client refuses a region from the environment beside an address without a place for it; here the
        # region is for the direct way. So Layer's address is given as what fills the place.
        super().__init__(
            api_key=api_key or self._shared.options.api_key,
            region=layer_url,
            base_url="{region}",
            default_namespace=default_namespace,
            timeout=timeout,
            max_retries=max_retries,
            default_headers=default_headers,
            default_query=default_query,
            http_client=self._shared.http_client,
            compression=compression,
            telemetry=telemetry,
            _strict_response_validation=_strict_response_validation,
        )
        self.region = None
        self.original_base_url = layer_url

    @override
    def copy(self, *, _extra_kwargs: Mapping[str, Any] | None = None, **options: Any) -> Self:
        """A client with other options, as the official client's: it shares this one's connections and its breaker.

        The addresses cannot be changed: make another client for them.
        """
        for name in ("base_url", "region", "http_client"):
            if options.pop(name, None) is not None:
                raise TypeError(f"{name} cannot be changed: make another client")
        return type(self)(**self._changed(options), **{"_shared": self._shared, **(_extra_kwargs or {})})

    def _changed(self, changed: Mapping[str, Any]) -> dict[str, Any]:
        """This client's own options, but for those that are to change."""
        given = {
            name: value
            for name, value in changed.items()
            # Of a timeout None says that there is none.
            if (value is not None or name == "timeout") and not isinstance(value, NotGiven)
        }
        headers = {**self._custom_headers, **given.pop("default_headers", {})}
        query = {**self._custom_query, **given.pop("default_query", {})}
        return {
            "api_key": self.api_key,
            "default_namespace": self.default_namespace,
            "timeout": self.timeout,
            "max_retries": self.max_retries,
            "default_headers": given.pop("set_default_headers", headers),
            "default_query": given.pop("set_default_query", query),
            "compression": self.compression,
            "telemetry": self._telemetry is not None,
        } | given

    with_options = copy

    @override
    def namespace(self, namespace: str) -> AsyncLayerNamespace:
        """A namespace; nothing is sent."""
        return AsyncLayerNamespace(self.with_options(default_namespace=namespace))

    @overload
    def namespaces(
        self,
        *,
        cursor: str | Omit = ...,
        page_size: int | Omit = ...,
        prefix: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | Timeout | NotGiven | None = ...,
        with_perf: Literal[True],
    ) -> MeasuredListing: ...

    @overload
    def namespaces(
        self,
        *,
        cursor: str | Omit = ...,
        page_size: int | Omit = ...,
        prefix: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | Timeout | NotGiven | None = ...,
        with_perf: Literal[False] = ...,
    ) -> Listing: ...

    @override
    def namespaces(self, *arguments: Any, with_perf: bool = False, **named: Any) -> Any:
        """Lists namespaces, as the official client does; with `with_perf` the first page, and how that went."""
        call = super().namespaces
        return measured(call, *arguments, **named) if with_perf else call(*arguments, **named)

    async def status(self) -> LayerStatus:
        """How Layer is: asks it once, whatever the breaker says, and never raises for its absence."""
        return LayerStatus(await self._shared.transport.ready(), self._shared.transport.breaker.is_open)

    @override
    async def close(self) -> None:
        """Closes connections, and ends all that runs in the background. Copies of this client are closed too."""
        await super().close()
        await self._shared.channel.aclose()

    @property
    def fall_through(self) -> AsyncFallThroughTransport:
        """The transport, which knows whether Layer is taken for away."""
        return self._shared.transport

    @property
    @override
    def user_agent(self) -> str:
        """This package and the official client below it."""
        return f"hevlayer/{VERSION} Turbopuffer/Python {self._version}"


class AsyncShared:
    """What a client and its copies share."""

    def __init__(
        self,
        options: Options,
        fallback_to_turbopuffer: bool,
        settings: Settings,
        on_event: OnEvent | None,
        layer_transport: httpx2.AsyncBaseTransport | None,
        turbopuffer_transport: httpx2.AsyncBaseTransport | None,
        timeout: float | Timeout | None,
    ) -> None:
        self.options = options
        self.transport = AsyncFallThroughTransport(
            options.layer_url,
            turbopuffer_url=options.turbopuffer_url,
            turbopuffer_api_key=options.turbopuffer_api_key,
            fallback_to_turbopuffer=fallback_to_turbopuffer,
            settings=settings,
            on_event=on_event,
            layer_transport=layer_transport,
            turbopuffer_transport=turbopuffer_transport,
        )
        self.channel = open_channel(options.layer_url, settings.connect_timeout_s)
        self.http_client = DefaultAsyncHttpxClient(transport=self.transport, timeout=timeout)
