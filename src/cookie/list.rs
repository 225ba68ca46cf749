//! Splits lists in header fields (RFC 9110, section 5.6). Quoted strings stay in one piece.

/// The elements of a list, trimmed, including empty elements. Separators inside quotes do not count.
///
/// A quoted string without a closing quote extends to the end of the line, and so does its element.
pub(crate) fn elements(line: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let element = match end_of_element(line, separator) {
            Some(at) => {
                rest = line.get(at + 1..);
                line.get(..at)?
            }
            None => {
                rest = None;
                line
            }
        };
        Some(super::request::trim(element))
    })
}

fn end_of_element(line: &[u8], separator: u8) -> Option<usize> {
    let mut quotes = Quotes::default();
    line.iter().position(|&byte| quotes.are_closed_after(byte) && byte == separator)
}

/// Whether every quoted string in an element has its closing quote.
pub(crate) fn is_closed(element: &[u8]) -> bool {
    let mut quotes = Quotes::default();
    element.iter().fold(true, |_, &byte| quotes.are_closed_after(byte))
}

#[derive(Default)]
struct Quotes {
    open: bool,
    escaped: bool,
}

impl Quotes {
    fn are_closed_after(&mut self, byte: u8) -> bool {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.open => self.escaped = true,
            b'"' => self.open = !self.open,
            _ => {}
        }
        !self.open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Vec<&str> {
        elements(line.as_bytes(), b',').map(|element| std::str::from_utf8(element).unwrap()).collect()
    }

    #[test]
    fn quoted_strings_stay_whole() {
        assert_eq!(split("a, b=\"c, d\" ,,e"), ["a", "b=\"c, d\"", "", "e"]);
        assert_eq!(split(r#"a="\",", b"#), [r#"a="\",""#, "b"]);
        assert_eq!(split("a=\"b, c"), ["a=\"b, c"]);
        assert_eq!(split(""), [""]);
        assert!(is_closed(br#"a="b\"c""#));
        assert!(!is_closed(br#"a="b\""#));
    }
}
