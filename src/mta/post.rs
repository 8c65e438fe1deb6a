//! Messages posted to programs: forwarding targets that are URLs (`reference/http-api.md` §0.9).

use super::content::{Content, unreadable};
use super::problem::Problem;
use crate::model::error::Error;
use bytes::Bytes;
use http_body_util::Channel;
use http_body_util::channel::Sender;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Client, StatusCode};
use std::io;

/// Posts a message. 2xx takes it; of the rest, 4xx is for ever, but for those that ask to wait.
///
/// # Errors
/// What the program answered, or why there is no answer.
pub async fn post(client: &Client, url: &str, content: &Content) -> Result<String, Problem> {
    let (pieces, body) = Channel::new(1);
    let request = client.post(url).header(CONTENT_TYPE, "message/rfc822");
    let request = request.header(CONTENT_LENGTH, content.octets).body(Body::wrap(body));
    let (answer, fed) = tokio::join!(request.send(), feed(pieces, content));
    fed.map_err(|error| unreadable(&error))?;
    match answer {
        Ok(answer) if answer.status().is_success() => Ok(answer.status().to_string()),
        Ok(answer) => Err(refused(answer.status())),
        // the URL may hold a secret
        Err(error) => Err(Problem::temporary((4, 4, 1), error.without_url().to_string())),
    }
}

/// The request's body. A program that answers before it has read all of it has had enough.
async fn feed(mut body: Sender<Bytes, io::Error>, content: &Content) -> Result<(), Error> {
    let mut pieces = content.pieces();
    loop {
        match pieces.next().await {
            Ok(Some(piece)) => {
                if body.send_data(piece).await.is_err() {
                    return Ok(());
                }
            }
            Ok(None) => return Ok(()),
            Err(error) => {
                // So that the request does not end as if it were whole
                body.abort(io::Error::other("the content cannot be read"));
                return Err(error);
            }
        }
    }
}

fn refused(status: StatusCode) -> Problem {
    let words = format!("the target answered {status}");
    let waits = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    if status.is_client_error() && !waits {
        Problem::permanent((5, 3, 0), words)
    } else {
        Problem::temporary((4, 3, 0), words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_answers_are_for_ever() {
        let is_permanent = |code| refused(StatusCode::from_u16(code).unwrap()).is_permanent;
        assert!(is_permanent(404) && is_permanent(410) && is_permanent(422));
        assert!(!is_permanent(500) && !is_permanent(429) && !is_permanent(408));
        assert!(!is_permanent(301), "redirects are not followed");
    }
}
