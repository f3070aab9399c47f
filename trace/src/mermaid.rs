// SPDX-License-Identifier: GPL-2.0

//! Writes the trace as a Mermaid sequence diagram, which GitHub and many editors can draw.

use crate::relate::{Kind, Row};
use crate::show::Trace;
use crate::text::lost;
use std::io::{self, Write};

/// Characters that have a meaning in Mermaid, and how to write them.
const SPECIAL: [(char, &str); 5] = [
    ('#', "#35;"),
    (';', "#59;"),
    ('<', "#lt;"),
    ('>', "#gt;"),
    ('"', "#quot;"),
];

/// The shades of the execution contexts that interrupt a task; they suit light and dark pages
const SHADES: [(&str, &str); 2] = [
    ("softirq", "rgba(0, 150, 200, 0.15)"),
    ("hardirq", "rgba(220, 100, 0, 0.15)"),
];

/// Writes the diagram.
pub fn write(trace: &Trace, mut to: impl Write) -> io::Result<()> {
    let all = trace.drivers_of(&trace.rows);
    writeln!(to, "sequenceDiagram")?;
    for (number, driver) in all.iter().enumerate() {
        writeln!(to, "    participant d{number} as {}", escape(driver))?;
    }
    let id = |driver: &str| match all.iter().position(|known| *known == driver) {
        Some(number) => format!("d{number}"),
        None => "others".into(),
    };
    let everyone = match all.len() {
        0 | 1 => "d0".into(),
        count => format!("d0,d{}", count - 1),
    };
    if trace.left_out > 0 {
        let left_out = trace.left_out;
        writeln!(
            to,
            "    Note over {everyone}: {left_out} more steps are left out at the end"
        )?;
    }
    let several = trace.loads().count() > 1;
    for rows in trace.loads() {
        if several {
            let load = rows[0].step.load.unwrap_or_default();
            writeln!(to, "    Note over {everyone}: load={load}")?;
        }
        let mut rest = rows;
        while let Some(first) = rest.first() {
            let context = first.step.context();
            let same = |row: &&Row| row.step.context() == context;
            let (block, after) = rest.split_at(rest.iter().take_while(same).count());
            rest = after;
            let shade = SHADES.iter().find(|(name, _)| context == Some(*name));
            if let Some((name, shade)) = shade {
                writeln!(to, "    rect {shade}")?;
                writeln!(to, "    Note over {everyone}: in {name}")?;
            }
            write_block(trace, block, &id, &everyone, &mut to)?;
            if shade.is_some() {
                writeln!(to, "    end")?;
            }
        }
    }
    Ok(())
}

/// Writes rows of one execution context: an arrow each, or a note for consecutive steps of one driver.
fn write_block(
    trace: &Trace,
    rows: &[Row],
    id: &impl Fn(&str) -> String,
    everyone: &str,
    to: &mut impl Write,
) -> io::Result<()> {
    let mut notes: Vec<String> = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        if let Some(gap) = trace.gap_before(row) {
            writeln!(
                to,
                "    Note over {everyone}: {}",
                lost(gap.first, gap.last)
            )?;
        }
        if let Some(arrow) = &row.arrow {
            let line = match arrow.kind {
                Kind::OpCall | Kind::CallDriver => "->>",
                Kind::OpReturn | Kind::Complete => "-->>",
                Kind::Cancel => "-x",
            };
            let (from, into) = (id(&arrow.from), id(&arrow.to));
            writeln!(to, "    {from}{line}{into}: {}", escape(&row.label()))?;
            continue;
        }
        notes.push(escape(&row.label()));
        let next = rows.get(number + 1);
        let goes_on = next.is_some_and(|next| {
            let alone = next.arrow.is_none() && trace.gap_before(next).is_none();
            alone && next.step.driver() == row.step.driver()
        });
        if !goes_on {
            let driver = id(row.step.driver());
            writeln!(to, "    Note over {driver}: {}", notes.join("<br/>"))?;
            notes.clear();
        }
    }
    Ok(())
}

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match SPECIAL.iter().find(|(special, _)| *special == character) {
            Some((_, instead)) => escaped.push_str(instead),
            None => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_with_a_meaning_in_mermaid_are_escaped() {
        assert_eq!(escape("a;b#c<d>\"é"), "a#59;b#35;c#lt;d#gt;#quot;é");
    }
}
