//! Numbers as text, without the cost of general formatting.

use alloc::string::String;

/// Appends a number in decimal.
pub(crate) fn push_decimal(number: u64, out: &mut String) {
    each_digit(number, &mut |digit| out.push(char::from(b'0' + digit)));
}

/// Calls `each` with the decimal digits of a number, 0 to 9 each, the most
/// significant first.
pub(super) fn each_digit(number: u64, each: &mut dyn FnMut(u8)) {
    if number >= 10 {
        each_digit(number / 10, each);
    }
    each((number % 10) as u8);
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn numbers_are_written_as_everywhere() {
        for number in [0, 9, 10, 12, 99, 100, 25_000, u32::MAX.into(), u64::MAX] {
            let mut text = String::new();
            push_decimal(number, &mut text);
            assert_eq!(text, number.to_string());
        }
    }
}
