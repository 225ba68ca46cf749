//! Stage 1: finds our cookies in a request (R22).

use http::HeaderMap;
use http::header::{COOKIE, HeaderValue, ValueIter};
use memchr::memchr;

/// How many bytes of all `Cookie` headers together are read.
///
/// A server may accept hundreds of KiB of headers, and this scan runs before anything in the request is verified. So it
/// must be bounded. 16 KiB is what Node's HTTP parser accepts for all headers together, so an express application reads
/// no more.
const MAX_SCANNED_BYTES: usize = 16 * 1024;

/// The values of all cookies with a name, in the order of the request.
///
/// Names are compared byte by byte. Only spaces and tabs are trimmed. A quote never extends past a `;`, and one pair of
/// double quotes around a value is removed. All this is how express-session reads cookies with its `cookie` package.
/// Any bytes are accepted, and nothing is allocated.
///
/// Nothing is read after the first 16 KiB. A pair that crosses this limit is ignored, because its value would be cut
/// off.
pub(crate) fn values<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h [u8]> {
    Values { lines: headers.get_all(COOKIE).iter(), line: None, left: MAX_SCANNED_BYTES, name: name.as_bytes() }
}

struct Values<'h, 'n> {
    lines: ValueIter<'h, HeaderValue>,
    /// The rest of the current line.
    line: Option<&'h [u8]>,
    /// How many bytes of the following lines may still be read.
    left: usize,
    name: &'n [u8],
}

impl<'h> Values<'h, '_> {
    fn next_pair(&mut self) -> Option<&'h [u8]> {
        loop {
            if let Some(line) = self.line {
                let (pair, rest) = match split_at(line, b';') {
                    Some((pair, rest)) => (pair, Some(rest)),
                    None => (line, None),
                };
                self.line = rest;
                return Some(pair);
            }
            self.line = Some(self.next_line()?);
        }
    }

    fn next_line(&mut self) -> Option<&'h [u8]> {
        let line = self.lines.next()?.as_bytes();
        match line.split_at_checked(self.left) {
            Some((whole, [])) => {
                self.left = 0;
                Some(whole)
            }
            Some((read, [b';', ..])) => {
                self.left = 0;
                Some(read)
            }
            Some((read, _)) => {
                self.left = 0;
                let end = read.iter().rposition(|&byte| byte == b';')?;
                read.get(..end)
            }
            None => {
                self.left -= line.len();
                Some(line)
            }
        }
    }
}

impl<'h> Iterator for Values<'h, '_> {
    type Item = &'h [u8];

    fn next(&mut self) -> Option<&'h [u8]> {
        loop {
            let pair = self.next_pair()?;
            if let Some((name, value)) = split_at(pair, b'=')
                && trim(name) == self.name
            {
                return Some(unquote(trim(value)));
            }
        }
    }
}

/// The bytes before and after the first separator.
fn split_at(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let (before, rest) = bytes.split_at_checked(memchr(separator, bytes)?)?;
    Some((before, rest.get(1..)?))
}

/// Removes the spaces and tabs at both ends, and no other white space.
///
/// A browser does not apply the rules of `__Host-` to a name that begins with another white space character. Trimming
/// it here would let any subdomain plant a `__Host-` cookie.
pub(super) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

fn unquote(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] => inner,
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(lines: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_bytes(line).unwrap());
        }
        headers
    }

    fn read(lines: &[&[u8]]) -> Vec<Vec<u8>> {
        values(&headers(lines), "sid").map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn r22_names_are_exact_and_only_space_and_tab_are_trimmed() {
        assert_eq!(read(&[b"sid=1"]), [b"1"]);
        assert_eq!(read(&[b"a=0; sid=1;sid=2"]), [b"1", b"2"]);
        assert_eq!(read(&[b" \tsid\t =\t 1 \t; b=2"]), [b"1"]);
        assert_eq!(read(&[b"Sid=1; sidd=1; si=1; xsid=1; sid; \xa0sid=1"]), Vec::<Vec<u8>>::new());
        assert_eq!(read(&[b"sid=a=b="]), [b"a=b="]);
        assert_eq!(read(&[b"sid=\xff\xa0"]), [b"\xff\xa0"]);
        assert_eq!(read(&[b"sid="]), [b""]);
    }

    #[test]
    fn r22_quotes_never_span_a_semicolon() {
        assert_eq!(read(&[b"a=\"x; sid=1; y\""]), [b"1"]);
        assert_eq!(read(&[b"sid=\"1\""]), [b"1"]);
        assert_eq!(read(&[b"sid=\"\"1\"\"; sid=\"; sid=\"\""]), [b"\"1\"".to_vec(), b"\"".to_vec(), b"".to_vec()]);
        assert_eq!(read(&[b"sid=\" 1\""]), [b" 1"]);
    }

    #[test]
    fn r22_all_cookie_headers_are_read() {
        assert_eq!(read(&[b"sid=1; a=b", b"", b"sid=2"]), [b"1", b"2"]);
    }

    #[test]
    fn r22_the_scan_ends_at_16_kib() {
        let mut line = vec![b'a'; 16_384 - 6];
        line.extend_from_slice(b";sid=1");
        assert_eq!(read(&[&line, b"sid=2"]), [b"1"]);
        line.push(b';');
        assert_eq!(read(&[&line, b"sid=2"]), [b"1"]);
        // A value that is cut off is ignored.
        line.insert(0, b'a');
        assert_eq!(read(&[&line]), Vec::<Vec<u8>>::new());
        let half = vec![b'a'; MAX_SCANNED_BYTES / 2];
        assert_eq!(read(&[b"sid=0", &half, &half, b"sid=1"]), [b"0"]);
    }

    /// The same function, written in a slow and simple way.
    fn reference(lines: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let mut left = MAX_SCANNED_BYTES;
        for line in lines {
            let readable = line.len().min(left);
            left -= readable;
            let mut start = 0;
            for end in 0..=line.len() {
                if end < line.len() && line[end] != b';' {
                    continue;
                }
                let pair = &line[start..end];
                start = end + 1;
                if end > readable {
                    break;
                }
                let Some(equals) = pair.iter().position(|&byte| byte == b'=') else { continue };
                let strip = |text: &[u8]| {
                    let mut text = text.to_vec();
                    while text.last().is_some_and(|byte| b" \t".contains(byte)) {
                        text.pop();
                    }
                    text.reverse();
                    while text.last().is_some_and(|byte| b" \t".contains(byte)) {
                        text.pop();
                    }
                    text.reverse();
                    text
                };
                let (name, mut value) = (strip(&pair[..equals]), strip(&pair[equals + 1..]));
                if value.len() >= 2 && value.first() == Some(&b'"') && value.last() == Some(&b'"') {
                    value = value[1..value.len() - 1].to_vec();
                }
                if name == b"sid" {
                    found.push(value);
                }
            }
        }
        found
    }

    fn line() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"sid".to_vec()),
            Just(b"sid=".to_vec()),
            Just(b"; ".to_vec()),
            Just(b"\"".to_vec()),
            Just(vec![b'x'; 6000]),
            proptest::collection::vec(any::<u8>(), 0..4),
            proptest::collection::vec(prop::sample::select(b"sid=; \t\"".to_vec()), 0..8),
        ];
        proptest::collection::vec(piece, 0..10)
            .prop_map(|pieces| pieces.concat())
            .prop_filter("not a header value", |line| HeaderValue::from_bytes(line).is_ok())
    }

    proptest! {
        #[test]
        fn r22_any_bytes_read_as_the_reference_does(lines in proptest::collection::vec(line(), 0..4)) {
            let slices: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(read(&slices), reference(&lines));
        }
    }
}
