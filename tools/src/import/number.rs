//! Numbers as files write them.

use serde::Deserialize;

/// How a file writes numbers.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// What stands before the fraction.
    #[serde(default = "point")]
    decimal: char,
    /// What stands between thousands.
    grouping: Option<char>,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { decimal: point(), grouping: None }
    }
}

fn point() -> char {
    '.'
}

impl Numbers {
    /// A decimal number as a whole number of units, of which ten to the power of `places` make one.
    /// Digits past the last place must be zeros, unless they may be rounded off.
    pub fn scaled(self, text: &str, places: u32, round: bool) -> Result<i64, &'static str> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once(self.decimal).unwrap_or((digits, ""));
        let whole: String = whole.chars().filter(|digit| Some(*digit) != self.grouping).collect();
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !plain(&whole) || !plain(fraction) || (whole.is_empty() && fraction.is_empty()) {
            return Err("not a decimal number");
        }
        let places = places as usize;
        let kept = &fraction[..fraction.len().min(places)];
        let rest = &fraction[kept.len()..];
        if !round && rest.bytes().any(|digit| digit != b'0') {
            return Err("more decimal places than the unit has");
        }
        let all = format!("{whole}{kept:0<places$}");
        let units: i64 = all.parse().map_err(|_| "a number that is too large")?;
        let up = i64::from(rest.bytes().next().is_some_and(|digit| digit >= b'5'));
        let units = units.checked_add(up).ok_or("a number that is too large")?;
        Ok(if negative { -units } else { units })
    }
}

/// How many decimal places a currency's minor unit has (ISO 4217).
pub fn minor_places(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "UYI" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_amounts_become_minor_units_exactly() {
        let numbers = Numbers::default();
        for (text, minor) in
            [("11.77", 1177), ("0.00", 0), ("5", 500), ("-.5", -50), ("7.100", 710)]
        {
            assert_eq!(numbers.scaled(text, 2, false), Ok(minor), "{text}");
        }
        for text in ["", ".", "1.2.3", "1e3", "NaN", "11.775", "99999999999999999999", "--1"] {
            assert!(numbers.scaled(text, 2, false).is_err(), "{text}");
        }
        assert_eq!(numbers.scaled("0.2847177143", 6, true), Ok(284_718));
        let german = Numbers { decimal: ',', grouping: Some('.') };
        assert_eq!(german.scaled("1.234,56", 2, false), Ok(123_456));
        assert_eq!(numbers.scaled("1234", minor_places("JPY"), false), Ok(1234));
    }
}
