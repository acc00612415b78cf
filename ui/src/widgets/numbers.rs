//! Numbers as people read them.

/// Bytes with a unit of three digits: `931 B`, `90.9 MB`, `1.20 GB`.
#[must_use]
pub fn bytes(n: u64) -> String {
    scaled(n as f64, &[" B", " kB", " MB", " GB", " TB"])
}

/// A count in short: `931`, `90.9 k`, `22.7 M`, `1.20 G`.
#[must_use]
pub fn short(n: usize) -> String {
    scaled(n as f64, &["", " k", " M", " G", " T"])
}

fn scaled(mut value: f64, units: &[&str]) -> String {
    let mut unit = 0;
    // 999.5 would be written as 1000.
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = match value {
        _ if unit == 0 => 0,
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$}{}", units[unit])
}

/// A whole number in groups of three digits: `109,482,240`.
#[must_use]
pub fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share in [0, 1] in percent, with as many digits as say something: `0.27 %`, `12.5 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    let digits = if value == 0.0 || value >= 99.95 { 0 } else { usize::from(value < 9.95) + 1 };
    format!("{value:.digits$} %")
}

/// Seconds as a length of time: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "–".to_owned();
    }
    let whole = seconds.round() as u64;
    match whole {
        _ if seconds < 9.95 => format!("{seconds:.1} s"),
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([bytes(931), bytes(90_870_000), bytes(999_600)], ["931 B", "90.9 MB", "1.00 MB"]);
        assert_eq!([short(12), short(22_713_216), short(124_700)], ["12", "22.7 M", "125 k"]);
        assert_eq!([thousands(0), thousands(999), thousands(109_482_240)], ["0", "999", "109,482,240"]);
        assert_eq!(
            [percent(0.0), percent(0.0027), percent(0.125), percent(1.0)],
            ["0 %", "0.27 %", "12.5 %", "100 %"]
        );
        assert_eq!(
            [duration(0.42), duration(12.4), duration(185.0), duration(7800.0), duration(f64::NAN)],
            ["0.4 s", "12 s", "3 min 05 s", "2 h 10 min", "–"]
        );
    }
}
