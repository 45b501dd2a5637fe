//! Finds payment-card numbers and AWS secret access keys in the bytes of an object.
//!
//! A card number is 13 to 19 digits, in one run or in the groups that are printed on cards, with an issuer's
//! prefix and a right Luhn digit. A secret access key is 40 characters of its alphabet, on a line that calls it
//! a secret key or within three lines of an access key id. Where Macie wants a keyword near a card number, this
//! does not; and it reports the numbers and keys that AWS and the issuers reserve for documentation and
//! testing, which Macie leaves out: they are just what one puts into a sandbox.

mod cards;

use std::collections::VecDeque;

use self::cards::card_numbers;

/// Macie reports the places of this many occurrences in one finding.
pub(super) const REPORTED_PLACES: usize = 15;

/// A line longer than this is looked at in pieces, so that memory stays bounded.
const MAX_LINE_BYTES: usize = 1 << 20;

/// How many lines apart an access key id and its secret may stand.
const PAIR_DISTANCE: u64 = 3;

/// What kind of sensitive data was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Identifier {
    AwsCredentials,
    CreditCardNumber,
}

impl Identifier {
    /// Macie's managed data identifier.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::AwsCredentials => "AWS_CREDENTIALS",
            Self::CreditCardNumber => "CREDIT_CARD_NUMBER",
        }
    }

    /// The category of sensitive data that it belongs to.
    pub(super) fn category(self) -> &'static str {
        match self {
            Self::AwsCredentials => "CREDENTIALS",
            Self::CreditCardNumber => "FINANCIAL_INFORMATION",
        }
    }

    /// Macie's severity table: both are High from the first occurrence on.
    pub(super) fn severity(self, _occurrences: u64) -> u8 {
        match self {
            Self::AwsCredentials | Self::CreditCardNumber => 3,
        }
    }
}

/// Where an occurrence stands, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) column: u64,
}

/// All occurrences of one identifier in an object; places only of the first ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Detection {
    pub(super) identifier: Identifier,
    pub(super) count: u64,
    pub(super) places: Vec<Place>,
}

/// Reads an object piece by piece.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    line: Vec<u8>,
    line_number: u64,
    started: bool,
    binary: bool,
    cards: Found,
    secrets: Found,
    /// Lines on which access key ids were seen lately.
    key_ids: VecDeque<u64>,
    /// Places of would-be secrets that wait for an access key id.
    loose_secrets: VecDeque<Place>,
}

#[derive(Debug, Default)]
struct Found {
    count: u64,
    places: Vec<Place>,
}

impl Found {
    fn add(&mut self, place: Place) {
        self.count += 1;
        if self.places.len() < REPORTED_PLACES {
            self.places.push(place);
        }
    }
}

impl Scanner {
    /// The next bytes of the object.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if !self.started {
            self.started = true;
            self.line_number = 1;
            self.binary = bytes.iter().take(8192).any(|byte| *byte == 0);
        }
        if self.binary {
            return;
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            let ended = piece.ends_with(b"\n");
            if ended || self.line.len() >= MAX_LINE_BYTES {
                self.look_at_line();
                self.line_number += u64::from(ended);
            }
        }
    }

    /// What was found; nothing in binary content, which is not read.
    pub(super) fn finish(mut self) -> Vec<Detection> {
        self.look_at_line();
        let found = [(Identifier::AwsCredentials, self.secrets), (Identifier::CreditCardNumber, self.cards)];
        found
            .into_iter()
            .filter(|(_, found)| found.count > 0)
            .map(|(identifier, found)| Detection { identifier, count: found.count, places: found.places })
            .collect()
    }

    fn look_at_line(&mut self) {
        let bytes = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&bytes);
        let number = self.line_number;
        for at in card_numbers(&text) {
            self.cards.add(Place { line: number, column: column(&text, at) });
        }
        self.look_for_keys(&text);
        // The buffer is kept, not made anew for each line.
        drop(text);
        self.line = bytes;
        self.line.clear();
    }

    fn look_for_keys(&mut self, text: &str) {
        let number = self.line_number;
        while self.loose_secrets.front().is_some_and(|place| place.line + PAIR_DISTANCE < number) {
            self.loose_secrets.pop_front();
        }
        while self.key_ids.front().is_some_and(|line| line + PAIR_DISTANCE < number) {
            self.key_ids.pop_front();
        }
        let called_secret = names_a_secret(text);
        for (at, token) in tokens(text) {
            if is_access_key_id(token) {
                self.key_ids.push_back(number);
                for place in std::mem::take(&mut self.loose_secrets) {
                    self.secrets.add(place);
                }
            } else if is_secret_access_key(token) {
                let place = Place { line: number, column: column(text, at) };
                if called_secret || !self.key_ids.is_empty() {
                    self.secrets.add(place);
                } else {
                    self.loose_secrets.push_back(place);
                }
            }
        }
    }
}

fn column(text: &str, at: usize) -> u64 {
    text[..at].chars().count() as u64 + 1
}

fn names_a_secret(line: &str) -> bool {
    let plain: String = line.to_lowercase().chars().filter(|c| !matches!(c, '_' | '-' | ' ')).collect();
    plain.contains("secretaccesskey") || plain.contains("awssecretkey") || plain.contains("setawscredential")
}

/// Runs of the characters that keys are made of; `=` only at the end of one, for it also stands before a value.
fn tokens(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '/' || c == '+';
    let mut at = 0;
    std::iter::from_fn(move || {
        at += line[at..].find(is_part)?;
        let start = at;
        at += line[start..].find(|c: char| !is_part(c)).unwrap_or(line.len() - start);
        Some((start, &line[start..at]))
    })
}

fn is_access_key_id(token: &str) -> bool {
    token.len() == 20
        && (token.starts_with("AKIA") || token.starts_with("ASIA"))
        && token.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// Forty characters that are not merely a hash, a path or a word.
fn is_secret_access_key(token: &str) -> bool {
    token.len() == 40
        && token.bytes().any(|byte| byte.is_ascii_uppercase())
        && token.bytes().any(|byte| byte.is_ascii_lowercase())
        && token.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> Vec<Detection> {
        let mut scanner = Scanner::default();
        scanner.feed(text.as_bytes());
        scanner.finish()
    }

    #[test]
    fn the_sample_card_file_has_one_card_number_on_its_second_line() {
        let found = scan(
            "This is a sample file with a dummy credit card\nCard Number: 5163200000000008\nExpiry Date: 08/20\n",
        );
        let place = Place { line: 2, column: 14 };
        assert_eq!(
            found,
            [Detection { identifier: Identifier::CreditCardNumber, count: 1, places: vec![place] }]
        );
    }

    #[test]
    fn card_numbers_are_found_with_their_separators() {
        for text in [
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "3782 822463 10005",
            "on 2024-01-02 4111 1111 1111 1111, paid",
            "\"5163200000000008\",",
        ] {
            assert_eq!(scan(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_card_number_is_left_alone() {
        for text in [
            "5163200000000009",
            "order5163200000000008",
            "5163200000000008x",
            "1234567890123452",
            "51632000000000080000",
            "4111 1111-1111 1111",
            "2024-01-02 03:04:05",
        ] {
            assert_eq!(scan(text), [], "{text}");
        }
    }

    #[test]
    fn a_key_pair_in_the_documented_format_is_one_occurrence() {
        let found = scan(
            "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n\
             aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n",
        );
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].identifier, Identifier::AwsCredentials);
        assert_eq!((found[0].count, found[0].places[0]), (1, Place { line: 3, column: 25 }));
    }

    #[test]
    fn a_secret_is_found_without_a_name_when_a_key_id_stands_near_it() {
        let secret = "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY";
        assert_eq!(scan(&format!("AKIAI44QH8DHBEXAMPLE,{secret}")).len(), 1);
        assert_eq!(scan(&format!("{secret}\n\nASIAI44QH8DHBEXAMPLE\n")).len(), 1);
        assert_eq!(scan(&format!("{secret}\n\n\n\n\n\nASIAI44QH8DHBEXAMPLE\n")), []);
        assert_eq!(scan(secret), []);
        assert_eq!(
            scan("SecretAccessKey: da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            [],
            "a lower-case hash"
        );
    }

    #[test]
    fn places_end_after_fifteen_and_the_count_goes_on() {
        let found = scan(&"card 5163200000000008\n".repeat(40));
        assert_eq!((found[0].count, found[0].places.len()), (40, REPORTED_PLACES));
        assert_eq!(found[0].places[14].line, 15);
    }

    #[test]
    fn pieces_may_be_cut_anywhere() {
        let text = "é Card Number: 5163200000000008\nsecond 4111 1111 1111 1111";
        let mut scanner = Scanner::default();
        for byte in text.as_bytes() {
            scanner.feed(std::slice::from_ref(byte));
        }
        let found = scanner.finish();
        assert_eq!(found, scan(text));
        assert_eq!(found[0].places, [Place { line: 1, column: 16 }, Place { line: 2, column: 8 }]);
    }

    #[test]
    fn binary_content_is_not_read() {
        let mut scanner = Scanner::default();
        scanner.feed(b"PK\x03\x04\0\0 5163200000000008");
        assert_eq!(scanner.finish(), []);
    }
}
