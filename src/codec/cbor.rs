//! CBOR as some clients write it: records (tag 57343) rewritten as maps.
//!
//! Pure. RFC 8949 §3: heads with definite lengths, which is all that WebAuthn allows (CTAP2 §6);
//! the tag is `cbor-x`'s, which puts `[id, [keys…], values…]` for an object.

/// Items within items.
const DEPTH_MAX: usize = 16;
/// A record.
const RECORD: u64 = 57_343;

/// The item with every record as a map; `None` where it is no single item, or there is none.
pub fn without_records(octets: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader { rest: octets, has_records: false };
    let mut written = Vec::with_capacity(octets.len());
    reader.item(&mut written, 0)?;
    (reader.has_records && reader.rest.is_empty()).then_some(written)
}

struct Reader<'a> {
    rest: &'a [u8],
    has_records: bool,
}

/// What an item begins with: major type, argument, and the octets of both.
type Head<'a> = (u8, u64, &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(usize::try_from(count).ok()?)?;
        self.rest = rest;
        Some(taken)
    }

    fn head(&mut self) -> Option<Head<'a>> {
        let first = *self.rest.first()?;
        let octets = match first & 31 {
            0..=23 => 0,
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => return None,
        };
        let head = self.take(1 + octets)?;
        let argument = match octets {
            0 => u64::from(first & 31),
            _ => head.iter().skip(1).fold(0, |value, octet| value << 8 | u64::from(*octet)),
        };
        Some((first >> 5, argument, head))
    }

    fn item(&mut self, written: &mut Vec<u8>, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        let (major, argument, head) = self.head()?;
        if major == 6 && argument == RECORD {
            return self.record(written, depth + 1);
        }
        written.extend(head);
        let items = match major {
            2 | 3 => {
                written.extend(self.take(argument)?);
                0
            }
            4 => argument,
            5 => argument.checked_mul(2)?,
            6 => 1,
            _ => 0,
        };
        for _ in 0..items {
            self.item(written, depth + 1)?;
        }
        Some(())
    }

    /// `[id, [keys…], values…]`
    fn record(&mut self, written: &mut Vec<u8>, depth: usize) -> Option<()> {
        self.has_records = true;
        let (4, items, _) = self.head()? else { return None };
        self.item(&mut Vec::new(), depth)?;
        let (4, count, _) = self.head()? else { return None };
        if count.checked_add(2)? != items || count > 23 {
            return None;
        }
        let mut keys = Vec::new();
        for _ in 0..count {
            let mut key = Vec::new();
            self.item(&mut key, depth)?;
            keys.push(key);
        }
        written.push(0xa0 | u8::try_from(count).ok()?);
        for key in keys {
            written.extend(key);
            self.item(written, depth)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_become_maps() {
        // {"a": {}, "b": h'01'}, as cbor-x writes it
        let record =
            b"\xd9\xdf\xff\x84\x19\xe0\x00\x82\x61a\x61b\xd9\xdf\xff\x82\x19\xe0\x01\x80\x41\x01";
        assert_eq!(without_records(record).unwrap(), b"\xa2\x61a\xa0\x61b\x41\x01");
        let within = [b"\x81".as_slice(), record].concat();
        assert_eq!(without_records(&within).unwrap(), b"\x81\xa2\x61a\xa0\x61b\x41\x01");
    }

    #[test]
    fn everything_else_is_left_alone() {
        for octets in [
            b"".as_slice(),
            b"\xa1\x61a\x01",
            b"\xd9\xdf\xff\x01",
            b"\xd9\xdf\xff\x82\x00\x81\x61a",
            b"\x9f\xff",
            b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
            &[0x81; 100],
        ] {
            assert_eq!(without_records(octets), None, "{octets:x?}");
        }
    }
}
