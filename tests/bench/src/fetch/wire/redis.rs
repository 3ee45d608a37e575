//! Redis's protocol (RESP2): as much as fetching needs.

use anyhow::Result;

use super::{Answered, Matching, Question};

/// `GET key`, whose value is known.
pub fn get(key: u64, value: &str) -> Question {
    Question { request: command(&["GET", &key.to_string()]), answer: bulk(value) }
}

/// `MGET keys`, whose values are known.
pub fn mget(keys: &[u64], values: &[String]) -> Question {
    let names: Vec<String> = keys.iter().map(u64::to_string).collect();
    let words: Vec<&str> = ["MGET"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let mut answer = format!("*{}\r\n", values.len()).into_bytes();
    values.iter().for_each(|value| answer.extend(bulk(value)));
    Question { request: command(&words), answer }
}

/// `SET key value`.
pub fn set(key: u64, value: &str) -> Question {
    Question { request: command(&["SET", &key.to_string(), value]), answer: b"+OK\r\n".to_vec() }
}

/// A reply's length is that of the right one: one that differs is wrong, whatever follows.
pub(super) fn take(matching: &mut Matching, input: &[u8], expected: &[u8]) -> Result<(usize, Option<Answered>)> {
    let take = input.len().min(expected.len() - matching.matched);
    matching.see(&input[..take], expected);
    if matching.differs {
        return Err(matching.wrong(expected));
    }
    let done = matching.is_whole(expected);
    if done {
        *matching = Matching::default();
    }
    Ok((take, done.then_some(Answered { hit: false })))
}

fn command(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    words.iter().for_each(|word| bytes.extend(bulk(word)));
    bytes
}

fn bulk(text: &str) -> Vec<u8> {
    format!("${}\r\n{text}\r\n", text.len()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_replies_are_those_of_the_protocol() {
        let question = get(7, "ab");
        assert_eq!(question.request, b"*2\r\n$3\r\nGET\r\n$1\r\n7\r\n");
        assert_eq!(question.answer, b"$2\r\nab\r\n");
        assert_eq!(mget(&[1, 2], &["a".into(), "b".into()]).answer, b"*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    }

    #[test]
    fn a_reply_is_read_however_it_is_cut_and_another_is_wrong() {
        let expected = get(7, "ab").answer;
        let mut matching = Matching::default();
        for byte in &expected[..7] {
            assert_eq!(take(&mut matching, &[*byte], &expected).unwrap(), (1, None));
        }
        assert_eq!(take(&mut matching, b"\n$", &expected).unwrap(), (1, Some(Answered { hit: false })));
        assert!(take(&mut matching, b"$-1\r\n", &expected).is_err());
    }
}
