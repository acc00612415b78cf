//! Numbers and foreign text made fit for a document: rounding, units, escaping.

/// Escapes text for HTML content and for quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Control characters are not allowed in HTML; tabs and line ends are.
            c if c.is_control() && !matches!(c, '\n' | '\t') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Escapes text for one line or table cell of Markdown.
pub(super) fn escape_markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '|' | '*' | '_' | '`' | '<' | '>' | '#' | '[' | ']' | '~' | '&' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A count with thousands separators: `590,208`.
#[must_use]
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A large quantity in three digits and a unit: `22.3 G`.
pub(super) fn quantity(value: u64) -> String {
    const UNITS: [(f64, &str); 4] = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let value = value as f64;
    match UNITS.iter().find(|(size, _)| value >= *size) {
        Some((size, unit)) => format!("{} {unit}", significant(value / size, 3)),
        None => format!("{value}"),
    }
}

/// `part` of `whole` in percent with two digits, or an en dash where there is no whole.
pub(super) fn percent_of(part: u64, whole: u64) -> String {
    if whole == 0 { "–".to_owned() } else { format!("{:.2} %", 100.0 * part as f64 / whole as f64) }
}

/// A number to `digits` significant digits; tiny and huge ones in scientific form.
pub(super) fn significant(value: f64, digits: usize) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞" } else { "−∞" }.to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let exponent = value.abs().log10().floor() as i32;
    if !(-4..7).contains(&exponent) {
        return format!("{value:.*e}", digits.saturating_sub(1)).replace('-', "−");
    }
    let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
    format!("{value:.decimals$}").replace('-', "−")
}

/// A metric: accuracies and F1 in percent, anything else to four digits.
pub(super) fn metric(name: &str, value: f64) -> String {
    if is_share(name) && value.is_finite() {
        format!("{:.2} %", 100.0 * value)
    } else {
        significant(value, 4)
    }
}

/// Whether a metric is a share in 0..=1 that readers expect in percent.
pub(super) fn is_share(name: &str) -> bool {
    name.contains("accuracy") || name.starts_with("f1")
}

/// Wall time: `8.2 s`, `3 min 20 s`, `1 h 05 min`.
pub(super) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "–".to_owned();
    }
    if seconds < 59.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    if whole < 3600 {
        format!("{} min {:02} s", whole / 60, whole % 60)
    } else {
        format!("{} h {:02} min", whole / 3600, whole % 3600 / 60)
    }
}

/// A metric's name for readers: `matthews_correlation` becomes `matthews correlation`.
pub(super) fn plain_name(name: &str) -> String {
    name.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(0), "0");
        assert_eq!(count(590_208), "590,208");
        assert_eq!(count(109_482_240), "109,482,240");
        assert_eq!(quantity(22_347_251_712), "22.3 G");
        assert_eq!(significant(0.000_123_4, 2), "0.00012");
        assert_eq!(significant(1e-9, 2), "1.0e−9");
        assert_eq!(significant(f64::NAN, 2), "NaN");
        assert_eq!(metric("accuracy", 0.836), "83.60 %");
        assert_eq!(metric("matthews_correlation", -0.5), "−0.5000");
        assert_eq!(percent_of(1, 0), "–");
        assert_eq!(duration(200.4), "3 min 20 s");
        assert_eq!(duration(3900.0), "1 h 05 min");
        assert_eq!(duration(f64::NAN), "–");
    }

    #[test]
    fn foreign_text_cannot_leave_its_place() {
        assert_eq!(escape("<b a='\"'>&\u{1}"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;\u{fffd}");
        assert_eq!(escape_markdown("a|b\n<i>"), "a\\|b \\<i\\>");
    }
}
