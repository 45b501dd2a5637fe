//! Payment-card numbers in a line of text.

/// Where card numbers begin in a line.
pub(super) fn card_numbers(line: &str) -> Vec<usize> {
    let groups = digit_groups(line);
    let mut found = vec![];
    let mut next = 0;
    while next < groups.len() {
        let used = longest_card(line, &groups[next..]);
        if used > 0 {
            found.push(groups[next].start);
        }
        next += used.max(1);
    }
    found
}

#[derive(Debug)]
struct Group {
    start: usize,
    end: usize,
    /// The separator that joins it to the group before, if one character of blank or hyphen does.
    joined_by: Option<u8>,
    /// Whether a letter touches it, so that it is part of a longer word.
    in_word: bool,
}

fn digit_groups(line: &str) -> Vec<Group> {
    let bytes = line.as_bytes();
    let touches = |index: Option<usize>| {
        index
            .and_then(|index| bytes.get(index))
            .is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_' || !byte.is_ascii())
    };
    let mut groups: Vec<Group> = vec![];
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && bytes[at].is_ascii_digit() {
            at += 1;
        }
        let joined_by = groups
            .last()
            .filter(|before| before.end + 1 == start && matches!(bytes[before.end], b' ' | b'-'))
            .map(|before| bytes[before.end]);
        groups.push(Group {
            start,
            end: at,
            joined_by,
            in_word: touches(start.checked_sub(1)) || touches(Some(at)),
        });
    }
    groups
}

/// How many groups from the first one on make a card number; 0 if they make none.
fn longest_card(line: &str, groups: &[Group]) -> usize {
    const PRINTED: [&[usize]; 5] = [&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4], &[4, 5, 4]];
    let digits =
        |groups: &[Group]| -> String { groups.iter().map(|group| &line[group.start..group.end]).collect() };
    for shape in PRINTED {
        let Some(candidate) = groups.get(..shape.len()) else { continue };
        let separator = candidate[1].joined_by;
        let fits = separator.is_some()
            && candidate[1..].iter().all(|group| group.joined_by == separator)
            && candidate.iter().zip(shape).all(|(group, length)| group.end - group.start == *length)
            && candidate.iter().all(|group| !group.in_word);
        if fits && is_card_number(&digits(candidate)) {
            return shape.len();
        }
    }
    let first = &groups[..1];
    usize::from(!first[0].in_word && is_card_number(&digits(first)))
}

fn is_card_number(digits: &str) -> bool {
    has_issuer(digits) && luhn(digits)
}

/// The Luhn check over a string of digits.
fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0');
            let doubled = digit * 2;
            match place % 2 {
                0 => digit,
                _ if doubled > 9 => doubled - 9,
                _ => doubled,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether prefix and length are those of an issuer that Macie knows.
fn has_issuer(digits: &str) -> bool {
    if !(13..=19).contains(&digits.len()) {
        return false;
    }
    let prefix = |length: usize| digits[..length].parse::<u32>().unwrap_or(0);
    let (two, three, four) = (prefix(2), prefix(3), prefix(4));
    match digits.len() {
        // Visa, old and new
        13 => digits.starts_with('4'),
        // Diners Club
        14 => (300..=305).contains(&three) || matches!(two, 36 | 38 | 39),
        // American Express
        15 => matches!(two, 34 | 37),
        // Visa, Mastercard, Dankort; Discover, JCB, UnionPay
        16 => {
            digits.starts_with('4')
                || (51..=55).contains(&two)
                || (2221..=2720).contains(&four)
                || four == 5019
                || is_long_range(two, three, four)
        }
        // Visa has 19 digits at times, the others up to 19
        length => (length == 19 && digits.starts_with('4')) || is_long_range(two, three, four),
    }
}

fn is_long_range(two: u32, three: u32, four: u32) -> bool {
    four == 6011 || (644..=649).contains(&three) || matches!(two, 62 | 65) || (3528..=3589).contains(&four)
}

#[cfg(test)]
mod tests {
    use super::luhn;

    #[test]
    fn luhn_accepts_right_check_digits_only() {
        for number in ["5163200000000008", "4111111111111111", "378282246310005", "30569309025904"] {
            assert!(luhn(number), "{number}");
        }
        for number in ["5163200000000009", "4111111111111112", "378282246310006"] {
            assert!(!luhn(number), "{number}");
        }
    }
}
