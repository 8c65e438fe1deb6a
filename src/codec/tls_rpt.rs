//! Where a domain wants to be told how its servers' TLS is: the TXT record of TLS reporting (RFC 8460
//! §3).

/// Places that are read of one record.
const PLACES_MAX: usize = 5;

/// Where reports go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// Mail to this address.
    Mail(String),
    /// POST to this URL, https.
    Url(String),
}

impl Place {
    /// Reads `mailto:` and `https:`; `None`: anything else.
    pub fn new(uri: &str) -> Option<Self> {
        let (scheme, rest) = uri.trim().split_once(':')?;
        if scheme.eq_ignore_ascii_case("mailto") {
            let address = rest.split(['?', '!']).next()?;
            return address.contains('@').then(|| Self::Mail(address.replace("%2C", ",")));
        }
        let is_url = scheme.eq_ignore_ascii_case("https") && rest.starts_with("//");
        is_url.then(|| Self::Url(uri.trim().to_owned()))
    }
}

/// The places of a TXT record, as it writes them; `None`: it is not about TLS reporting.
///
/// `tlsrpt-record = tlsrpt-version 1*(field-delim tlsrpt-field) [field-delim]`
pub fn parse_record(record: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(record).ok()?;
    let mut fields = text.split(';').map(str::trim);
    if fields.next()? != "v=TLSRPTv1" {
        return None;
    }
    let places = fields.find_map(|field| field.strip_prefix("rua="))?;
    let places = places.split(',').map(str::trim).filter(|uri| Place::new(uri).is_some());
    let places: Vec<String> = places.take(PLACES_MAX).map(str::to_owned).collect();
    (!places.is_empty()).then_some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        // RFC 8460 §3.1.1 and §3.1.2
        let mail = parse_record(b"v=TLSRPTv1;rua=mailto:reports@example.com").unwrap();
        assert_eq!(mail, ["mailto:reports@example.com"]);
        assert_eq!(Place::new(&mail[0]), Some(Place::Mail("reports@example.com".to_owned())));
        let url = "https://reporting.example.com/v1/tlsrpt";
        let record = format!("v=TLSRPTv1; rua={url} , mailto:a@b.example,ftp:x;");
        let both = parse_record(record.as_bytes()).unwrap();
        assert_eq!(both, [url, "mailto:a@b.example"]);
        assert_eq!(Place::new(url), Some(Place::Url(url.to_owned())));
    }

    #[test]
    fn others_are_not() {
        for bad in ["", "v=STSv1; id=1", "v=TLSRPTv1", "v=TLSRPTv1; rua=http://x", "rua=mailto:a@b"]
        {
            assert_eq!(parse_record(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(parse_record(b"v=TLSRPTv1; rua=\xff"), None);
        assert_eq!(Place::new("mailto:nobody"), None);
    }
}
