//! Kubernetes' `resource.Quantity`: exact parsing of amounts such as `500m`, `1.5Gi`, `1e3`.

use std::fmt;

/// An amount in billionths, exact as upstream's (which keeps nano precision too).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Quantity {
    nanos: i128,
}

/// Why a text is not a quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a quantity: write a number with an optional suffix (m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei) or exponent (1e3)"
)]
pub struct QuantityError {
    /// The text as given.
    pub text: String,
}

const NANO: i128 = 1_000_000_000;
/// Amounts beyond 2^63-1 are capped there, as upstream does.
const MAX_NANOS: i128 = (i64::MAX as i128) * NANO;

impl Quantity {
    /// Parses the API's notation. Digits finer than a billionth are rounded away from zero.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        Self::parse_exact(text).ok_or_else(|| QuantityError { text: text.to_owned() })
    }

    fn parse_exact(text: &str) -> Option<Self> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let number_len = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(number_len);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return None;
        }
        let scale = Scale::parse(suffix)?;
        let magnitude = scaled_nanos(whole, fraction, scale)?.min(MAX_NANOS);
        Some(Self { nanos: if negative { -magnitude } else { magnitude } })
    }

    /// An amount of billionths, capped as upstream caps.
    pub fn from_nanos(nanos: i128) -> Self {
        Self { nanos: nanos.clamp(-MAX_NANOS, MAX_NANOS) }
    }

    /// Whole units, rounded up (upstream's `Value()`).
    pub fn value(self) -> i64 {
        Self::clamp(ceil_div(self.nanos, NANO))
    }

    /// Thousandths, rounded up (upstream's `MilliValue()`).
    pub fn milli_value(self) -> i64 {
        Self::clamp(ceil_div(self.nanos, NANO / 1000))
    }

    /// Billionths, exact: equal quantities have equal nanos however they are written.
    pub fn nanos(self) -> i128 {
        self.nanos
    }

    /// The sum, capped as upstream caps.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { nanos: self.nanos.saturating_add(other.nanos).clamp(-MAX_NANOS, MAX_NANOS) }
    }

    /// Whether the amount is zero.
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// How often `divisor` fits, rounded up (`resourceFieldRef.divisor`); a zero divisor counts as 1.
    pub fn divided_by(self, divisor: Self) -> i64 {
        if divisor.nanos == 0 {
            return self.value();
        }
        Self::clamp(ceil_div(self.nanos, divisor.nanos))
    }

    fn clamp(amount: i128) -> i64 {
        i64::try_from(amount).unwrap_or(if amount < 0 { i64::MIN } else { i64::MAX })
    }
}

/// In the API's notation, without a suffix or in thousandths or billionths: exact.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos % NANO == 0 {
            write!(f, "{}", self.nanos / NANO)
        } else if self.nanos % (NANO / 1000) == 0 {
            write!(f, "{}m", self.nanos / (NANO / 1000))
        } else {
            write!(f, "{}n", self.nanos)
        }
    }
}

fn ceil_div(a: i128, b: i128) -> i128 {
    let quotient = a / b;
    if a % b != 0 && (a < 0) == (b < 0) { quotient + 1 } else { quotient }
}

#[derive(Clone, Copy)]
enum Scale {
    Binary(u32),
    Decimal(i32),
}

impl Scale {
    fn parse(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "n" => Self::Decimal(-9),
            "u" => Self::Decimal(-6),
            "m" => Self::Decimal(-3),
            "" => Self::Decimal(0),
            "k" => Self::Decimal(3),
            "M" => Self::Decimal(6),
            "G" => Self::Decimal(9),
            "T" => Self::Decimal(12),
            "P" => Self::Decimal(15),
            "E" => Self::Decimal(18),
            "Ki" => Self::Binary(10),
            "Mi" => Self::Binary(20),
            "Gi" => Self::Binary(30),
            "Ti" => Self::Binary(40),
            "Pi" => Self::Binary(50),
            "Ei" => Self::Binary(60),
            _ => {
                let exponent = suffix.strip_prefix(['e', 'E'])?;
                let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
                if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                let negative = exponent.starts_with('-');
                let value: i32 = digits.parse().unwrap_or(i32::MAX / 2);
                Self::Decimal(if negative { -value } else { value })
            }
        })
    }
}

/// `whole.fraction` times the scale, in nanos, rounded up; beyond the maximum it saturates.
fn scaled_nanos(whole: &str, fraction: &str, scale: Scale) -> Option<i128> {
    // Leading zeros say nothing; more than 60 significant digits can only overflow or round away.
    let digits: String = [whole, fraction].concat();
    let significant = digits.trim_start_matches('0');
    let mut point = i64::try_from(fraction.len()).ok()?;
    let mut mantissa: i128 = 0;
    let mut inexact = false;
    for (index, digit) in significant.bytes().enumerate() {
        if index < 30 {
            mantissa = mantissa * 10 + i128::from(digit - b'0');
        } else {
            inexact |= digit != b'0';
            point -= 1;
        }
    }
    if mantissa == 0 {
        return Some(0);
    }
    let (exponent, factor) = match scale {
        Scale::Decimal(exponent) => (i64::from(exponent), 1),
        Scale::Binary(bits) => (0, 1i128 << bits),
    };
    let ten_power = exponent + 9 - point;
    let Some(mut nanos) = mantissa.checked_mul(factor) else { return Some(MAX_NANOS) };
    if ten_power >= 0 {
        for _ in 0..ten_power.min(60) {
            nanos = nanos.saturating_mul(10).min(MAX_NANOS);
        }
    } else {
        for _ in 0..(-ten_power).min(60) {
            inexact |= nanos % 10 != 0;
            nanos /= 10;
        }
    }
    Some(nanos.saturating_add(i128::from(inexact)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notation() {
        for (text, nanos) in [
            ("0", 0),
            ("1", NANO),
            ("+1", NANO),
            ("-1.5", -3 * NANO / 2),
            ("500m", NANO / 2),
            ("0.5", NANO / 2),
            (".5", NANO / 2),
            ("1.", NANO),
            ("1n", 1),
            ("0.1n", 1),
            ("1e3", 1000 * NANO),
            ("1E-3", NANO / 1000),
            ("1k", 1000 * NANO),
            ("1Ki", 1024 * NANO),
            ("1.5Gi", 1_610_612_736 * NANO),
            ("8E", 8_000_000_000_000_000_000 * NANO),
            ("999E", MAX_NANOS),
            ("1e1000", MAX_NANOS),
            ("1e-1000", 1),
            ("0000000000000000000000000000000000000000001", NANO),
        ] {
            assert_eq!(Quantity::parse(text).map(Quantity::nanos), Ok(nanos), "{text}");
        }
        for text in ["", ".", "-", "1.2.3", "1 Gi", "1gb", "1KI", "1e", "1e+", "five", "0x10", "1Mib", "é"] {
            assert!(Quantity::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rounding_is_up() {
        let q = |t| Quantity::parse(t).expect("table");
        assert_eq!(q("1m").value(), 1);
        assert_eq!(q("1500m").value(), 2);
        assert_eq!(q("100u").milli_value(), 1);
        assert_eq!(q("-1500m").value(), -1);
        assert_eq!(q("250m").divided_by(q("1")), 1);
        assert_eq!(q("250m").divided_by(q("1m")), 250);
        assert_eq!(q("1Gi").divided_by(q("1Mi")), 1024);
        assert_eq!(q("7").divided_by(q("0")), 7);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[-+.0-9eEinukMGTPK]{0,12}|\\PC{0,20}") {
            let Ok(amount) = Quantity::parse(&text) else { return Ok(()) };
            // What is shown reads as the same amount.
            proptest::prop_assert_eq!(Quantity::parse(&amount.to_string()), Ok(amount));
            let (whole, milli) = (i128::from(amount.value()), i128::from(amount.milli_value()));
            proptest::prop_assert!(whole * NANO >= amount.nanos() && (whole - 1) * NANO < amount.nanos());
            proptest::prop_assert!(milli == i128::from(i64::MAX) || milli * (NANO / 1000) >= amount.nanos());
        }

        #[test]
        fn units_are_exact(number in -9_000_000i64..9_000_000, unit in 0usize..6) {
            let (suffix, factor) = [("n", 1), ("u", 1000), ("m", 1_000_000), ("", NANO), ("Ki", 1024 * NANO), ("M", 1_000_000 * NANO)][unit];
            let amount = Quantity::parse(&format!("{number}{suffix}")).expect("an amount");
            proptest::prop_assert_eq!(amount.nanos(), i128::from(number) * factor);
            let tenth = Quantity::parse(&format!("{number}.5{suffix}")).expect("an amount");
            let half = if number < 0 { -factor } else { factor };
            // Half a billionth is rounded away from zero.
            let rounded = if factor == 1 { half } else { half / 2 };
            if number != 0 {
                proptest::prop_assert_eq!(tenth.nanos(), i128::from(number) * factor + rounded);
            }
        }

        #[test]
        fn order_is_that_of_numbers(a in -1_000_000i64..1_000_000, b in -1_000_000i64..1_000_000) {
            let of = |n: i64| Quantity::parse(&format!("{n}m")).expect("an amount");
            proptest::prop_assert_eq!(of(a).cmp(&of(b)), a.cmp(&b));
            proptest::prop_assert_eq!(of(a).plus(of(b)), of(a + b));
            if b > 0 {
                let fits = i128::from(of(a).divided_by(of(b)));
                proptest::prop_assert!(fits * i128::from(b) >= i128::from(a) && (fits - 1) * i128::from(b) < i128::from(a));
            }
        }
    }
}
