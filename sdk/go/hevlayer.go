// Package hevlayer is Turbopuffer's official client, pointed at Layer, that goes to Turbopuffer directly while Layer is away.
//
// A [Client] is a [turbopuffer.Client]: everything that it can do is there. It also has the calls that only Layer has
// ([layer.Calls]). What becomes of each call while Layer is away is listed in docs/api/client-fall-through.md; errors that
// only this package makes are [LayerUnavailable] and [OutcomeUnknown].
//
// This is the one package that imports the official client. The packages below it (transport, layer, worker) do not, and can
// be used beside a client of one's own.
package hevlayer
