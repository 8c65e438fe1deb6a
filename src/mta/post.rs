//! Messages posted to programs: forwarding targets that are URLs (`reference/http-api.md` §0.9).

use super::content::Content;
use super::problem::Problem;
use reqwest::{Client, StatusCode};

/// Posts a message. 2xx takes it; of the rest, 4xx is for ever, but for those that ask to wait.
///
/// # Errors
/// What the program answered, or why there is no answer.
pub async fn post(client: &Client, url: &str, content: Content) -> Result<String, Problem> {
    let request = client.post(url).header("content-type", "message/rfc822");
    // The memory is accounted for until the request is done
    let Content { octets, memory: _memory, .. } = content;
    match request.body(octets).send().await {
        Ok(answer) if answer.status().is_success() => Ok(answer.status().to_string()),
        Ok(answer) => Err(refused(answer.status())),
        // the URL may hold a secret
        Err(error) => Err(Problem::temporary((4, 4, 1), error.without_url().to_string())),
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
