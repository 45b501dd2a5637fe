//! How the bytes of a file mean text: PowerShell's `>` writes UTF-16, some editors put a mark before UTF-8.

/// How text is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, or ASCII.
    Utf8,
    /// UTF-8 after a byte order mark.
    MarkedUtf8,
    /// UTF-16, little end first.
    Utf16Le,
    /// UTF-16, big end first.
    Utf16Be,
    /// UTF-32, which nobody writes on purpose.
    Utf32,
}

impl Encoding {
    /// What bytes are encoded as: by their byte order mark, or by the zeros beside the ASCII that JSON begins with.
    pub fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] | [_, 0, 0, 0, ..] | [0, 0, 0, _, ..] => {
                Self::Utf32
            }
            [0xef, 0xbb, 0xbf, ..] => Self::MarkedUtf8,
            [0xff, 0xfe, ..] => Self::Utf16Le,
            [0xfe, 0xff, ..] => Self::Utf16Be,
            [first, 0, ..] if *first != 0 => Self::Utf16Le,
            [0, second, ..] if *second != 0 => Self::Utf16Be,
            _ => Self::Utf8,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::MarkedUtf8 => "UTF-8 with a byte order mark",
            Self::Utf16Le => "UTF-16 (little-endian)",
            Self::Utf16Be => "UTF-16 (big-endian)",
            Self::Utf32 => "UTF-32",
        }
    }
}

/// The text of these bytes, without a byte order mark.
///
/// # Errors
/// How they seem to be encoded, and what to do.
pub fn decode(bytes: &[u8]) -> Result<String, String> {
    let encoding = Encoding::of(bytes);
    let text = match encoding {
        Encoding::Utf8 | Encoding::MarkedUtf8 => String::from_utf8(bytes.to_vec()).ok(),
        Encoding::Utf16Le => utf_16(bytes, u16::from_le_bytes),
        Encoding::Utf16Be => utf_16(bytes, u16::from_be_bytes),
        Encoding::Utf32 => return Err("it is UTF-32; save it as UTF-8".into()),
    };
    match text {
        Some(text) => Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
        None => Err(format!("it is not valid {}; save it as UTF-8", encoding.name())),
    }
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, []) = bytes.as_chunks::<2>() else { return None };
    String::from_utf16(&pairs.iter().map(|&pair| unit(pair)).collect::<Vec<_>>()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(text: &str, mark: bool, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        let mark = mark.then_some('\u{feff}').map(String::from).unwrap_or_default();
        (mark + text).encode_utf16().flat_map(bytes).collect()
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_whatever_the_shell(json in "[\\[{\"]\\PC{1,40}", mark in any::<bool>()) {
            let expected = Ok(json.clone());
            prop_assert_eq!(decode(json.as_bytes()), expected.clone());
            prop_assert_eq!(decode(format!("\u{feff}{json}").as_bytes()), expected.clone());
            // Without a mark it is told by the ASCII that JSON begins with.
            prop_assume!(mark || json.chars().nth(1).is_some_and(|c| c.is_ascii()));
            for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
                prop_assert_eq!(decode(&encoded(&json, mark, bytes)), expected.clone());
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused_with_what_to_do(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Err(why) = decode(&bytes) {
                prop_assert!(why.contains("save it as UTF-8"), "{}", why);
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        assert_eq!(
            decode(&[0xff, 0xfe, 0x7b]).unwrap_err(),
            "it is not valid UTF-16 (little-endian); save it as UTF-8"
        );
        assert_eq!(decode(b"{\"\xe9\": 1}").unwrap_err(), "it is not valid UTF-8; save it as UTF-8");
        assert_eq!(decode(&[0xff, 0xfe, 0, 0, 0x7b, 0, 0, 0]).unwrap_err(), "it is UTF-32; save it as UTF-8");
    }
}
