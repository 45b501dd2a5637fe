//! The copy source of an object version.

use std::fmt::Write;

/// The value of `x-amz-copy-source`, which the SDK does not encode: the key percent-encoded, the version id appended
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>).
pub(super) fn copy_source(bucket: &str, key: &str, version_id: Option<&str>) -> String {
    let mut source = format!("{bucket}/");
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            source.push(char::from(byte));
        } else {
            let _ = write!(source, "%{byte:02X}");
        }
    }
    if let Some(id) = version_id {
        let _ = write!(source, "?versionId={id}");
    }
    source
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_copy_source_is_encoded_and_the_version_id_is_not() {
        assert_eq!(
            copy_source("b", "a b+c%/é?.txt", Some("v.1")),
            "b/a%20b%2Bc%25/%C3%A9%3F.txt?versionId=v.1"
        );
        assert_eq!(copy_source("b", "../x/./y/", None), "b/../x/./y/");
    }

    proptest! {
        #[test]
        fn any_key_comes_back_from_its_copy_source(key in "\\PC{1,200}") {
            let source = copy_source("b", &key, None);
            prop_assert!(source.is_ascii());
            let decoded: Vec<u8> = {
                let bytes = source.as_bytes()[2..].to_vec();
                let (mut out, mut i) = (Vec::new(), 0);
                while i < bytes.len() {
                    if bytes[i] == b'%' {
                        out.push(u8::from_str_radix(std::str::from_utf8(&bytes[i + 1..i + 3]).unwrap(), 16).unwrap());
                        i += 3;
                    } else {
                        out.push(bytes[i]);
                        i += 1;
                    }
                }
                out
            };
            prop_assert_eq!(decoded, key.as_bytes());
        }
    }
}
