// Package worker runs the workers of pipelines and functions: it claims, extends leases while a handler works, hands in what
// came of it, and gives back what it has not done when it is told to stop.
//
// A handler may be called twice for the same document or row, after a lease was lost; what it returns counts once. It must
// never rely on being the only one.
package worker
