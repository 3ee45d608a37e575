//! A body that is rewritten while it passes.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use layer_wire::{Pieces, QueryRewriter, QuerySummary, Rejection, WriteRewriter, WriteSummary};

use crate::coherence::{Gate, Written};

use super::{
    budget::{Budget, Share},
    source::{Fault, Source},
};

/// What changes the body.
pub enum Rewriter {
    /// Stamps a write.
    Write(WriteRewriter),
    /// Hides reserved attributes from a query's answer.
    Query(QueryRewriter),
}

/// What was seen in a body, once it was seen whole.
#[derive(Debug, Clone)]
pub enum Rewritten {
    /// A write.
    Write(WriteSummary),
    /// A query.
    Query(QuerySummary),
}

impl Rewriter {
    fn push(&mut self, piece: Bytes, out: &mut Pieces) -> Result<(), Rejection> {
        match self {
            Self::Write(rewriter) => rewriter.push(piece, out),
            Self::Query(rewriter) => rewriter.push(piece, out),
        }
    }

    /// What was seen, and what a write touches where that is tracked.
    fn finish(self, out: &mut Pieces) -> Result<(Rewritten, Option<Written>), Rejection> {
        match self {
            Self::Write(rewriter) => {
                let (summary, touched) = rewriter.finish_tracked(out)?;
                Ok((Rewritten::Write(summary), touched.map(|touched| Written { summary, touched })))
            }
            Self::Query(rewriter) => Ok((Rewritten::Query(rewriter.finish(out)?), None)),
        }
    }
}

/// A body in the course of being rewritten.
pub struct Rewriting {
    source: Source,
    /// Gone when the body was seen whole, or refused.
    rewriter: Option<Rewriter>,
    out: Pieces,
    share: Share,
    /// What each piece must pass, for writes.
    gate: Option<Arc<Gate>>,
}

impl Rewriting {
    /// Rewrites `source`.
    pub fn new(source: Source, rewriter: Rewriter, budget: &Budget) -> Self {
        Self { source, rewriter: Some(rewriter), out: Pieces::new(), share: budget.share(), gate: None }
    }

    /// Lets pieces out only while `gate` lets them pass.
    pub fn guard(&mut self, gate: Arc<Gate>) {
        self.gate = Some(gate);
    }

    /// Reads until the end, or until `bound` bytes wait to be sent or the budget is used up; what was seen, where it was
    /// the end.
    ///
    /// # Errors
    /// [`Fault`] where the body breaks off or is refused; nothing has been sent then.
    pub async fn read_ahead(&mut self, bound: u64) -> Result<Option<Rewritten>, Fault> {
        poll_fn(|cx| {
            while self.out.len_bytes() < bound && self.rewriter.is_some() {
                if let Some(seen) = ready!(self.poll_more(cx))? {
                    return Poll::Ready(Ok(Some(seen)));
                }
                if !self.share.grow_to(self.out.len_bytes()) {
                    break;
                }
            }
            Poll::Ready(Ok(None))
        })
        .await
    }

    /// Takes one piece of the source; what was seen, where it was the last.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Rewritten>, Fault>> {
        let piece = ready!(self.source.poll_piece(cx)).transpose()?;
        let result = match piece {
            Some(piece) => match &mut self.rewriter {
                Some(rewriter) => rewriter.push(piece, &mut self.out).map(|()| None),
                None => Ok(None),
            },
            None => self.rewriter.take().map(|rewriter| self.finish(rewriter)).transpose(),
        };
        Poll::Ready(result.map_err(|rejection| self.refuse(rejection)))
    }

    fn finish(&mut self, rewriter: Rewriter) -> Result<Rewritten, Rejection> {
        let (seen, written) = rewriter.finish(&mut self.out)?;
        if let Some(written) = written {
            self.source.progress().wrote(written);
        }
        Ok(seen)
    }

    /// The whole body has been handed on.
    fn sent(&self) {
        self.source.progress().sent();
        if let Some(gate) = &self.gate {
            gate.complete();
        }
    }

    /// Asks the gate, which may close for good.
    fn pass(&mut self) -> Result<(), Fault> {
        let Some(Err(stopped)) = self.gate.as_ref().map(|gate| gate.pass()) else { return Ok(()) };
        let fault = Fault::Stopped(stopped);
        self.source.progress().broke(&fault);
        Err(fault)
    }

    fn refuse(&mut self, rejection: Rejection) -> Fault {
        let fault = Fault::Rejected(rejection);
        self.rewriter = None;
        self.source.progress().broke(&fault);
        fault
    }
}

impl Body for Rewriting {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = self.get_mut();
        if let Err(fault) = this.pass() {
            return Poll::Ready(Some(Err(fault)));
        }
        loop {
            if let Some(piece) = this.out.pop() {
                if this.is_end_stream() {
                    this.sent();
                }
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            if this.rewriter.is_none() {
                this.sent();
                return Poll::Ready(None);
            }
            if let Err(fault) = ready!(this.poll_more(cx)) {
                return Poll::Ready(Some(Err(fault)));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rewriter.is_none() && self.out.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        match self.rewriter {
            None => SizeHint::with_exact(self.out.len_bytes()),
            Some(_) => SizeHint::default(),
        }
    }
}
