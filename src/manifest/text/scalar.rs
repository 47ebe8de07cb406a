//! What a scalar without quotes means to Kubernetes: YAML 1.1 as its Go library resolves it.
//!
//! `yes`, `no`, `on`, `off`, `y`, `n` are booleans, `010` is eight, `1_000` a thousand; `1:30` and
//! dates stay text. Tables after `sigs.k8s.io/yaml/goyaml.v2`, `resolve.go`.

use serde_json::{Number, Value};

/// A resolved scalar.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// `null`, `~`, nothing at all.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// Any other finite number.
    Float(f64),
    /// `.inf` and `.nan`, which JSON can not carry.
    NotFinite,
    /// Text.
    Text,
}

impl Scalar {
    /// Resolves a plain scalar.
    pub fn resolve(text: &str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Self::Null,
            "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
                return Self::Bool(true);
            }
            "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
                return Self::Bool(false);
            }
            ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf"
            | "-.INF" => return Self::NotFinite,
            _ => {}
        }
        match text.as_bytes().first() {
            Some(b'.') => float(text).unwrap_or(Self::Text),
            Some(b'+' | b'-' | b'0'..=b'9') => {
                let plain = text.replace('_', "");
                integer(&plain).map(Self::Integer).or_else(|| float(&plain)).unwrap_or(Self::Text)
            }
            _ => Self::Text,
        }
    }

    /// The JSON value; `None` for text and for what JSON can not carry. Whole floats become
    /// integers, as Go writes them.
    pub fn to_json(&self) -> Option<Value> {
        match *self {
            Self::Null => Some(Value::Null),
            Self::Bool(value) => Some(Value::Bool(value)),
            Self::Integer(value) => Some(integer_json(value)),
            #[expect(clippy::cast_possible_truncation, reason = "guarded: whole and below 10^21")]
            Self::Float(value) if value.fract() == 0.0 && value.abs() < 1e21 => Some(integer_json(value as i128)),
            Self::Float(value) => Number::from_f64(value).map(Value::Number),
            Self::NotFinite | Self::Text => None,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "beyond 64 bits nothing takes it as an integer anyway")]
fn integer_json(value: i128) -> Value {
    if let Ok(value) = i64::try_from(value) {
        Value::from(value)
    } else if let Ok(value) = u64::try_from(value) {
        Value::from(value)
    } else {
        Value::from(value as f64)
    }
}

/// Go's `ParseInt` with base 0: prefixes `0x`, `0o`, `0b`, and a leading `0` for octal.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    // `from_str_radix` takes a sign of its own.
    if !digits.as_bytes().first()?.is_ascii_hexdigit() {
        return None;
    }
    // More digits than fit say only "too large": any such number is refused where it is used.
    let value = match i128::from_str_radix(digits, radix) {
        Ok(value) => value,
        Err(error) if *error.kind() == std::num::IntErrorKind::PosOverflow => i128::MAX,
        Err(_) => return None,
    };
    Some(if negative { -value } else { value })
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, within the range of a double.
fn float(text: &str) -> Option<Scalar> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || whole.len() + fraction.len() == 0 {
        return None;
    }
    if let Some(exponent) = exponent {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        if exponent.is_empty() || !digits(exponent) {
            return None;
        }
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite()).map(Scalar::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_1_1_as_go_reads_it() {
        use Scalar::{Bool, Float, Integer, NotFinite, Null, Text};
        for (text, scalar) in [
            ("", Null),
            ("~", Null),
            ("nULL", Text),
            ("y", Bool(true)),
            ("No", Bool(false)),
            ("oN", Text),
            ("010", Integer(8)),
            ("0o17", Integer(15)),
            ("0O17", Integer(15)),
            ("-0x1F", Integer(-31)),
            ("0b101", Integer(5)),
            ("-0b11", Integer(-3)),
            ("1_000", Integer(1000)),
            ("08", Float(8.0)),
            ("0o8", Text),
            ("0x", Text),
            ("0x-1", Text),
            ("+", Text),
            ("+1", Integer(1)),
            ("18446744073709551615", Integer(u64::MAX.into())),
            ("1e3", Float(1000.0)),
            ("1.", Float(1.0)),
            (".5", Float(0.5)),
            (".", Text),
            ("1e400", Text),
            ("1e", Text),
            ("1.2.3", Text),
            ("1:30", Text),
            ("2001-01-01", Text),
            ("1Gi", Text),
            (".inf", NotFinite),
            ("+.INF", NotFinite),
            ("infinity", Text),
            ("nan", Text),
        ] {
            assert_eq!(Scalar::resolve(text), scalar, "{text:?}");
        }
    }

    #[test]
    fn json_has_whole_floats_as_integers() {
        for (text, json) in [
            ("1e3", "1000"),
            ("1.0", "1"),
            ("0.5", "0.5"),
            ("18446744073709551615", "18446744073709551615"),
            ("1e25", "1e+25"),
            ("99999999999999999999999999999999999999999999", "1.7014118346046923e+38"),
        ] {
            assert_eq!(Scalar::resolve(text).to_json().map(|v| v.to_string()).as_deref(), Some(json), "{text}");
        }
        assert_eq!(Scalar::resolve(".nan").to_json(), None);
    }
}
