// SPDX-License-Identifier: GPL-2.0

//! The times in the lines of a log: seconds of the kernel's clock, the clocks of ftrace, and dates.
//!
//! All times are in nanoseconds.

/// Finds the time of an event, which ends with a colon. Returns what stands before it, and the time. `None` if no word
/// is a time; `Some((.., None))` if it is the value of a counter.
pub fn find_clock(head: &str) -> Option<(&str, Option<u64>)> {
    let mut end = head.len();
    while let Some(colon) = head[..end].rfind(':') {
        end = colon;
        let blank = head[colon + 1..].bytes().next();
        if blank.is_some_and(|byte| byte != b' ') {
            continue;
        }
        let mut text = head[..colon].trim_end();
        // The time since the last event
        if let Some((before, _)) = text
            .strip_suffix("ms)")
            .and_then(|text| text.rsplit_once(" (+"))
        {
            text = before;
        }
        let Some((before, word)) = text.rsplit_once(' ') else {
            continue;
        };
        let marks = ['+', '!', '#', '*', '@', '$'];
        let word = word.trim_end_matches(marks);
        let time = match (word.strip_suffix("us"), word.strip_suffix("ms")) {
            (Some(micro), _) => seconds(micro).map(|time| time / 1_000_000),
            (_, Some(milli)) => seconds(milli).map(|time| time / 1000),
            _ => fraction(word),
        };
        let counts = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        if (time.is_some() || counts) && !before.trim().is_empty() {
            return Some((before, time));
        }
    }
    None
}

/// Finds a date and a time of day with a fraction: `Nov 26 14:02:11.866349`, `2026-11-26T14:02:11,866349+01:00`. Returns
/// nanoseconds since 1970, or if the year is not known, since two years before the year's beginning.
pub fn wall_clock(head: &str) -> Option<u64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let (mut day, mut month) = (None, None);
    for word in head
        .split([' ', '[', ']', 'T'])
        .filter(|word| !word.is_empty())
    {
        let mut date = word.splitn(3, '-').map(str::parse::<u64>);
        if let (Some(Ok(y)), Some(Ok(m)), Some(Ok(d))) = (date.next(), date.next(), date.next()) {
            day = days(y, m, d);
        } else if let Some(at) = MONTHS
            .find(word)
            .filter(|at| word.len() == 3 && at % 3 == 0)
        {
            month = Some(at as u64 / 3 + 1);
        } else if let (Some(m), Ok(d)) = (month.take(), word.parse()) {
            // A leap year, so that each date is another day
            day = days(1972, m, d);
        } else if let Some(time) = time_of_day(word) {
            return u64::try_from(day? as i64 * 86_400_000_000_000 + time).ok();
        }
    }
    None
}

/// Parses `14:02:11.866349+01:00`. Returns nanoseconds, by UTC if the text has a zone.
fn time_of_day(text: &str) -> Option<i64> {
    let end = text.find(['+', '-', 'Z']).unwrap_or(text.len());
    let (time, zone) = text.split_at(end);
    let (time, second) = time.rsplit_once(':')?;
    let minutes = |text: &str| {
        let (hour, minute) = text.split_at_checked(2)?;
        let minute = minute.trim_start_matches(':').parse::<u8>().ok()?;
        Some(i64::from(hour.parse::<u8>().ok()?) * 60 + i64::from(minute))
    };
    let east = match zone.as_bytes().first() {
        Some(b'+') => minutes(&zone[1..])?,
        Some(b'-') => -minutes(&zone[1..])?,
        _ => 0,
    };
    let second = fraction(&second.replacen(',', ".", 1))?;
    Some((minutes(time)? - east) * 60_000_000_000 + second.min(61_000_000_000) as i64)
}

/// Counts the days from 1970 to a date.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..10_000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // The year begins in March, so that a leap day is its last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    Some(365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 719_469)
}

/// Finds a time as dmesg prints it, `[    3.866349]`, anywhere in the text.
pub fn embedded_time(text: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = text[from..].find('[').map(|at| from + at) {
        if bracket_time(&text[at..]).is_some() {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

/// The seconds in brackets at the beginning of the text: `[    3.866349]`, or with the time since the last line,
/// `[    3.866349 <    0.000458>]`.
pub fn bracket_time(text: &str) -> Option<&str> {
    let (time, _) = text.strip_prefix('[')?.split_once(']')?;
    let time = time.split('<').next()?.trim();
    fraction(time).map(|_| time)
}

/// Converts seconds such as `3.866349` or `3` to nanoseconds.
pub fn seconds(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 9 || !digits(whole) || !digits(part) {
        return None;
    }
    let scale = 10u64.pow(9 - part.len() as u32);
    let part = if part.is_empty() {
        0
    } else {
        part.parse::<u64>().ok()?
    };
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(1_000_000_000)?
        .checked_add(part * scale)
}

/// Converts seconds with a fraction, such as `3.866349`, to nanoseconds.
pub fn fraction(text: &str) -> Option<u64> {
    text.contains('.').then(|| seconds(text)).flatten()
}
