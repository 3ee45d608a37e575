//! Many texts as requests of bounded size, several at a time.

use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream;

use super::{Endpoint, Options};
use crate::{EmbedError, Vector};

/// The vectors of `texts`, each or why there is none.
pub(super) async fn embed(endpoint: &Endpoint, texts: &[String], deadline: Instant) -> Vec<Result<Vector, EmbedError>> {
    let mut results = vec![Err(EmbedError::Deadline); texts.len()];
    for (result, text) in results.iter_mut().zip(texts) {
        *result = Err(wrong_size(text, &endpoint.options).unwrap_or(EmbedError::Deadline));
    }
    let requests = batches(texts, &endpoint.options).into_iter().map(|batch| settle(endpoint, texts, batch, deadline));
    let mut done = stream::iter(requests).buffer_unordered(endpoint.options.in_flight_max);
    while let Some(batch) = done.next().await {
        for (index, result) in batch {
            results[index] = result;
        }
    }
    results
}

fn wrong_size(text: &str, options: &Options) -> Option<EmbedError> {
    let (size, max) = (text.len(), options.text_bytes);
    (!(1..=max).contains(&size)).then_some(EmbedError::Size { size, max })
}

/// The texts that can be sent, in batches: which of `texts` each has.
fn batches(texts: &[String], options: &Options) -> Vec<Vec<usize>> {
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut bytes = 0;
    for (index, text) in texts.iter().enumerate().filter(|(_, text)| wrong_size(text, options).is_none()) {
        match batches.last_mut() {
            Some(batch) if batch.len() < options.batch_texts && bytes + text.len() <= options.batch_bytes => {
                batch.push(index);
                bytes += text.len();
            }
            _ => {
                batches.push(vec![index]);
                bytes = text.len();
            }
        }
    }
    batches
}

/// Sends a batch; where it is refused, its halves, until it is known which text is to blame.
async fn settle(
    endpoint: &Endpoint,
    texts: &[String],
    batch: Vec<usize>,
    deadline: Instant,
) -> Vec<(usize, Result<Vector, EmbedError>)> {
    let mut open = vec![batch];
    let mut settled = Vec::new();
    while let Some(mut batch) = open.pop() {
        let input: Vec<&str> = batch.iter().map(|index| texts[*index].as_str()).collect();
        match endpoint.request(&input, deadline).await {
            Ok(vectors) => settled.extend(batch.into_iter().zip(vectors.into_iter().map(Ok))),
            Err(EmbedError::Refused { .. }) if batch.len() > 1 => {
                let half = batch.split_off(batch.len() / 2);
                open.extend([half, batch]);
            }
            Err(error) => settled.extend(batch.into_iter().map(|index| (index, Err(error.clone())))),
        }
    }
    settled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_bounded_in_count_and_bytes() {
        let mut options = Options::new("http://x", "m");
        (options.batch_texts, options.batch_bytes, options.text_bytes) = (3, 10, 50);
        let texts: Vec<String> = [4, 4, 4, 20, 1, 1, 1, 1, 0, 51].map(|size| "x".repeat(size)).to_vec();
        assert_eq!(batches(&texts, &options), [vec![0, 1], vec![2], vec![3], vec![4, 5, 6], vec![7]]);
    }
}
